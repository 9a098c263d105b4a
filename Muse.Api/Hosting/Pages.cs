using Microsoft.AspNetCore.Rewrite;
using Microsoft.Net.Http.Headers;

namespace Muse.Api;

/// <summary>The web pages from <c>wwwroot</c>: <c>/</c> generates pictures, <c>/ops</c> shows the system.</summary>
static class Pages
{
    public static void UsePages(this WebApplication app)
    {
        app.UseWhen(context => !context.Request.Path.StartsWithSegments("/v1"), site => site.UseResponseCompression());
        app.UseRewriter(new RewriteOptions().AddRewrite("^$", "index.html", skipRemainingRules: true)
            .AddRewrite("^ops/?$", "ops.html", skipRemainingRules: true));
        app.UseStaticFiles(new StaticFileOptions
        {
            // Browsers revalidate each file by its ETag, so a new version appears at once.
            OnPrepareResponse = static file => file.Context.Response.Headers[HeaderNames.CacheControl] = "no-cache",
        });
    }
}
