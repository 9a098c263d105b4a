using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Jobs whose response was not delivered, kept for the retry of clients that count their retries.</summary>
/// <remarks>Each job is given to one retry only. Nothing is kept for a request that was rejected or whose response was delivered.</remarks>
public sealed partial class InterruptedRequests(
    JobQueue queue,
    AbandonedJobs abandoned,
    IOptions<ApiOptions> options,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<InterruptedRequests> logger)
{
    /// <summary>The job of an interrupted earlier try, or null. The job is this request's from then on.</summary>
    public async Task<string?> ClaimAsync(string owner, RequestIdentity identity, CancellationToken cancellation) =>
        await queue.ClaimInterruptedAsync(owner, identity.RetryHash!, cancellation) is { } jobId
        && await queue.FindAsync(jobId, cancellation) is { State: not JobState.Cancelled } ? jobId : null;

    /// <summary>Keeps the job for a retry if the response of this request does not reach its client.</summary>
    public void Watch(HttpContext context, string owner, RequestIdentity identity, string jobId)
    {
        if (identity.RetryHash is not { } hash)
            return;
        context.Response.OnCompleted(() =>
        {
            // After a 503 the client retries as well.
            if (context.RequestAborted.IsCancellationRequested || context.Response.StatusCode == StatusCodes.Status503ServiceUnavailable)
                _ = KeepAsync(owner, hash, jobId, cancelUnclaimed: context.RequestAborted.IsCancellationRequested);
            return Task.CompletedTask;
        });
    }

    /// <summary>Keeps the job. If no retry claims it, the client has given up, and the job is cancelled.</summary>
    async Task KeepAsync(string owner, string hash, string jobId, bool cancelUnclaimed)
    {
        try
        {
            await queue.KeepInterruptedAsync(owner, hash, jobId, options.Value.RetryWindow, CancellationToken.None);
            if (!cancelUnclaimed)
                return;
            await Task.Delay(options.Value.RetryGrace, time, lifetime.ApplicationStopping);
            if (await queue.ForgetInterruptedAsync(owner, hash, jobId, CancellationToken.None))
                abandoned.Cancel(jobId);
        }
        catch (OperationCanceledException)
        {
            // This process stops. A retry finds the job at another one.
        }
        catch (QueueUnavailableException exception)
        {
            NotKept(jobId, exception.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The interrupted job {JobId} could not be kept for a retry: {Reason}")]
    partial void NotKept(string jobId, string reason);
}
