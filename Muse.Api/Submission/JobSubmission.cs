using System.Diagnostics;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Turns an HTTP request into a job of the queue, in the same way for all APIs: read, parse, submit.</summary>
public sealed class JobSubmission(
    JobParser parser,
    ModelCardCache models,
    JobQueue queue,
    RateLimits limits,
    InterruptedRequests interrupted,
    AbandonedJobs abandoned,
    IOptions<ApiOptions> options,
    TimeProvider time)
{
    /// <summary>Submits a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="type">The type of its body.</param>
    /// <param name="parse">How the body becomes a job.</param>
    public async Task<(TRequest? Body, SubmissionResult Result)> SubmitAsync<TRequest>(HttpContext context, JsonTypeInfo<TRequest> type,
        Func<JobParser, TRequest, ModelCard?, JobOrigin, ParsedRequest> parse) where TRequest : class
    {
        var body = await RequestBody.ReadAsync(context.Request, type, RequestIdentity.NeedsHash(context.Request));
        if (body.Error is { } unreadable)
            return (null, new SubmissionResult.Rejected(unreadable));
        return (body.Value, await SubmitAsync(context, body.Value!, body.Hash, parse));
    }

    /// <summary>Submits a request whose body has been read.</summary>
    public async Task<SubmissionResult> SubmitAsync<TRequest>(HttpContext context, TRequest body, string? bodyHash,
        Func<JobParser, TRequest, ModelCard?, JobOrigin, ParsedRequest> parse)
    {
        var card = await models.FindAsync(context.RequestAborted);
        var caller = Caller.Of(context);
        var owner = caller.Owner;
        var parsed = parse(parser, body, card, new(owner, time.GetUtcNow(), Activity.Current?.Id));
        if (parsed.Error is { } invalid)
            return new SubmissionResult.Rejected(invalid);
        var identity = RequestIdentity.Read(owner, context.Request, bodyHash, options.Value.IdempotencyWindow, out var error);
        if (error is not null)
            return new SubmissionResult.Rejected(error);
        var job = parsed.Job!;
        if (identity.IsRetry && await interrupted.ClaimAsync(owner, identity, context.RequestAborted) is { } earlier)
            return Accept(earlier);
        if (await limits.CountAgainstLimitAsync(caller, job.Count, context.RequestAborted) is { } limited)
            return new SubmissionResult.Rejected(limited);
        return await SubmitAsync(job, parsed.Input, identity, context.RequestAborted) switch
        {
            SubmitOutcome.Accepted accepted => Accept(accepted.JobId),
            SubmitOutcome.Duplicate duplicate => Accept(duplicate.JobId),
            SubmitOutcome.KeyReused => new SubmissionResult.Rejected(ApiError.KeyReused),
            SubmitOutcome.QueueFull full => new SubmissionResult.Rejected(ApiError.QueueFull(full.RetryAfter, full.EstimatedWait)),
            var unknown => throw new InvalidOperationException($"Unknown outcome {unknown.GetType().Name}."),
        };

        SubmissionResult.Accepted Accept(string jobId)
        {
            interrupted.Watch(context, owner, identity, jobId);
            return new(job, jobId, parsed.Warnings, identity.CancelOnDisconnect);
        }
    }

    /// <summary>
    /// Submits the job. If the client disconnects or Redis does not answer, the job may have been accepted all the same, so it is
    /// cancelled.
    /// </summary>
    async Task<SubmitOutcome> SubmitAsync(ImageJob job, InputPixels? input, RequestIdentity identity, CancellationToken disconnected)
    {
        try
        {
            return await queue.SubmitAsync(job, input, identity.Idempotency, disconnected);
        }
        catch (Exception exception) when (exception is OperationCanceledException or QueueUnavailableException)
        {
            // A retry with the same Idempotency-Key finds the job. Any other retry is a new request.
            if (identity.Idempotency is null)
                abandoned.Cancel(job.Id);
            throw;
        }
    }
}
