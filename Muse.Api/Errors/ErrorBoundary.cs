using Muse.Queue;

namespace Muse.Api;

/// <summary>Catches what endpoints throw, and gives a body to answers that have none.</summary>
public sealed partial class ErrorBoundary(RequestDelegate next, ILogger<ErrorBoundary> logger)
{
    /// <summary>Runs the rest of the pipeline.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null } && WithoutBody(context) is { } error)
                await ErrorResponses.WriteAsync(context, error);
        }
        catch (Exception exception)
        {
            if (context.RequestAborted.IsCancellationRequested)
            {
                // Nobody is left to answer; whatever was thrown came of that.
                Hangup(context.Request.Path);
                return;
            }
            var error = exception switch
            {
                QueueUnavailableException => ApiError.QueueAway,
                BadHttpRequestException { StatusCode: 413 } => ApiError.TooLarge,
                BadHttpRequestException bad => new ApiError(bad.StatusCode, "bad_request", bad.Message),
                _ => ApiError.Internal,
            };
            if (exception is QueueUnavailableException)
                QueueAway(exception.Message);
            else if (error.Status >= 500)
                Unhandled(exception, context.Request.Method, context.Request.Path, RequestIds.Of(context));
            if (context.Response.HasStarted)
                context.Abort();
            else
                await ErrorResponses.WriteAsync(context, error);
        }
    }

    static ApiError? WithoutBody(HttpContext context) => context.Response.StatusCode switch
    {
        404 => ApiError.NotFound("route or file"),
        405 => new ApiError(405, "method_not_allowed", $"{context.Request.Method} is not possible here; possible is {context.Response.Headers.Allow}."),
        415 => new ApiError(415, "unsupported_media_type", "Send the body as 'Content-Type: application/json' in UTF-8."),
        413 => ApiError.TooLarge,
        400 => new ApiError(400, "bad_request", "The request can't be read."),
        _ => null,
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "Unhandled exception at {Method} {Path}, request {RequestId}")]
    partial void Unhandled(Exception exception, string method, string path, string requestId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue is away: {Reason}")]
    partial void QueueAway(string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The client of {Path} hung up")]
    partial void Hangup(string path);
}
