using System.Diagnostics;

namespace Muse.Api;

/// <summary>
/// Adds <c>x-request-id</c> to each response. It contains the trace id, so that an operator finds the request in traces and logs.
/// </summary>
public sealed class RequestIdMiddleware(RequestDelegate next)
{
    const string Header = "x-request-id";

    /// <summary>The id of a request.</summary>
    public static string Of(HttpContext context) => context.TraceIdentifier;

    /// <summary>Runs the rest of the pipeline.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        var trace = Activity.Current?.TraceId ?? ActivityTraceId.CreateRandom();
        context.TraceIdentifier = $"req_{trace.ToHexString()}";
        context.Response.OnStarting(static state =>
        {
            var context = (HttpContext)state;
            context.Response.Headers[Header] = context.TraceIdentifier;
            return Task.CompletedTask;
        }, context);
        return next(context);
    }
}
