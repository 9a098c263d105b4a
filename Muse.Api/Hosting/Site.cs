using Microsoft.AspNetCore.Rewrite;
using Microsoft.Net.Http.Headers;

namespace Muse.Api;

/// <summary>The page's files from <c>wwwroot</c>: <c>/</c> to paint, <c>/ops</c> to watch.</summary>
static class Site
{
    public static void UseSite(this WebApplication app)
    {
        app.UseWhen(context => !context.Request.Path.StartsWithSegments("/v1"), site => site.UseResponseCompression());
        app.UseRewriter(new RewriteOptions().AddRewrite("^$", "index.html", skipRemainingRules: true).AddRewrite("^ops/?$", "ops.html", skipRemainingRules: true));
        app.UseStaticFiles(new StaticFileOptions
        {
            // Kept, but asked for again each time: the ETag makes that cheap, and a new version shows at once.
            OnPrepareResponse = static file => file.Context.Response.Headers[HeaderNames.CacheControl] = "no-cache",
        });
    }
}
