using Microsoft.AspNetCore.Rewrite;
using Microsoft.Net.Http.Headers;

namespace Muse.Api;

/// <summary>The web pages from <c>wwwroot</c>: <c>/</c> generates images, <c>/ops</c> shows the system.</summary>
static class Pages
{
    public static void UsePages(this WebApplication app)
    {
        app.Use(FixPathAsync);
        app.UseWhen(context => !context.Request.Path.StartsWithSegments("/v1"), site => site.UseResponseCompression());
        app.UseRewriter(new RewriteOptions()
            .AddRewrite("^$", "index.html", skipRemainingRules: true)
            .AddRewrite("^ops$", "ops.html", skipRemainingRules: true));
        app.UseStaticFiles(new StaticFileOptions
        {
            // Browsers revalidate each file by its ETag, so a new version appears at once.
            OnPrepareResponse = static file => file.Context.Response.Headers[HeaderNames.CacheControl] = "no-cache",
        });
    }

    /// <summary>
    /// Serves the pages below the path prefix of a proxy, whether the proxy removes the prefix from the path or not.
    /// The pages' links are relative, so the address of a page decides where they lead: it must have its slash, or must not.
    /// </summary>
    static Task FixPathAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        if (request.PathBase.HasValue && request.Path.StartsWithSegments(request.PathBase, out var rest))
            request.Path = rest;
        var address = request.Path.Value switch { null or "" when request.PathBase.HasValue => "/", "/ops/" => "/ops", _ => null };
        if (address is null || !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
            return next(context);
        context.Response.Redirect($"{request.PathBase}{address}{request.QueryString}");
        return Task.CompletedTask;
    }
}
