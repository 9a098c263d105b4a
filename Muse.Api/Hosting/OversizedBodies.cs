namespace Muse.Api;

/// <summary>Announces that the connection ends after a request whose body is larger than allowed.</summary>
static class OversizedBodies
{
    /// <summary>
    /// Adds <c>Connection: close</c> to such a response. Kestrel closes the connection after it, because it does not read the rest of the
    /// body, and does not say so. A client would send its next request over the same connection and get no answer.
    /// </summary>
    public static void UseOversizedBodies(this WebApplication app) => app.Use(static (context, next) =>
    {
        context.Response.OnStarting(static state =>
        {
            var context = (HttpContext)state;
            var isTooLarge = context.Request.ContentLength > RequestBody.LimitOf(context)
                || context.Response.StatusCode == StatusCodes.Status413PayloadTooLarge;
            if (isTooLarge && HttpProtocol.IsHttp11(context.Request.Protocol))
                context.Response.Headers.Connection = "close";
            return Task.CompletedTask;
        }, context);
        return next(context);
    });
}
