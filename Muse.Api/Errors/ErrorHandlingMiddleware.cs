using Muse.Queue;

namespace Muse.Api;

/// <summary>Turns exceptions of endpoints into errors of the API.</summary>
/// <remarks>
/// The framework's exception handler would log each of them as an error. Here a Redis that is unavailable is a warning,
/// and a client that has disconnected is neither.
/// </remarks>
public sealed partial class ErrorHandlingMiddleware(RequestDelegate next, ILogger<ErrorHandlingMiddleware> logger)
{
    /// <summary>Runs the rest of the pipeline.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // No client is left to answer. The exception is a consequence of the disconnect.
            ClientDisconnected(context.Request.Path);
        }
        catch (Exception exception)
        {
            var error = exception switch
            {
                ObjectStoreUnavailableException => ApiError.StoreUnavailable,
                ReplicationTimeoutException => ApiError.NotReplicated,
                QueueUnavailableException => ApiError.QueueUnavailable,
                BadHttpRequestException { StatusCode: 413 } => ApiError.TooLarge(RequestBody.LimitOf(context)),
                BadHttpRequestException bad => new ApiError(bad.StatusCode, "bad_request", bad.Message),
                _ => ApiError.Internal,
            };
            if (exception is QueueUnavailableException)
                QueueUnavailable(exception.Message);
            else if (error.Status >= 500)
                Unhandled(exception, context.Request.Method, context.Request.Path, RequestIdMiddleware.Of(context));
            if (context.Response.HasStarted)
                context.Abort();
            else
                await new ApiErrorResult(error).ExecuteAsync(context);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Unhandled exception at {Method} {Path}, request {RequestId}")]
    partial void Unhandled(Exception exception, string method, string path, string requestId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A request gets 503: {Reason}")]
    partial void QueueUnavailable(string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The client of {Path} has disconnected")]
    partial void ClientDisconnected(string path);
}
