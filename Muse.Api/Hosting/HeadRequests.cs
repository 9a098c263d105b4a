namespace Muse.Api;

/// <summary>Answers HEAD on every route that answers GET: with the status and headers of GET and no body (RFC 9110, 9.3.2).</summary>
static class HeadRequests
{
    static readonly object Key = new();

    /// <summary>Routes HEAD requests as GET. The server still knows the method of the connection, and sends no body.</summary>
    public static void UseHeadRequests(this WebApplication app) => app.Use(static (context, next) =>
    {
        if (HttpMethods.IsHead(context.Request.Method))
        {
            context.Items[Key] = true;
            context.Request.Method = HttpMethods.Get;
        }

        return next(context);
    });

    /// <summary>Whether the client sent HEAD. An event stream ends after its headers then.</summary>
    public static bool IsHead(HttpContext context) => context.Items.ContainsKey(Key);
}
