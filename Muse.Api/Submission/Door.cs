using System.Diagnostics;
using System.Text.Json.Serialization.Metadata;
using Muse.Queue;

namespace Muse.Api;

/// <summary>A request that got in: its job, and what the answer should mention.</summary>
/// <param name="Job">The job as it was parsed; for a repeat, the job of the first request may differ in id and seed.</param>
/// <param name="JobId">The job to wait for.</param>
/// <param name="Warnings">What had no effect.</param>
/// <param name="Error">Why it did not get in.</param>
public readonly record struct Entry(ImageJob? Job, string? JobId, IReadOnlyList<string> Warnings, ApiError? Error);

/// <summary>The way from an HTTP body into the queue, the same for all three APIs: read, parse, submit.</summary>
public sealed class Door(JobParser parser, ModelDirectory models, Submitter submitter, TimeProvider time)
{
    /// <summary>Lets a request in, or says why not.</summary>
    /// <param name="context">The request.</param>
    /// <param name="type">Its body's shape.</param>
    /// <param name="parse">How the body becomes a job.</param>
    public async Task<(TRequest? Body, Entry Entry)> EnterAsync<TRequest>(HttpContext context, JsonTypeInfo<TRequest> type, Func<JobParser, TRequest, ModelCard?, JobOrigin, ParsedRequest> parse) where TRequest : class
    {
        var body = await RequestBody.ReadAsync(context.Request, type, Submitter.NeedsHash(context.Request));
        if (body.Error is { } unreadable)
            return (null, new(null, null, [], unreadable));
        return (body.Value, await EnterAsync(context, body.Value!, body.Hash, parse));
    }

    /// <summary>Lets a request in whose body is known already.</summary>
    public async Task<Entry> EnterAsync<TRequest>(HttpContext context, TRequest body, string? bodyHash, Func<JobParser, TRequest, ModelCard?, JobOrigin, ParsedRequest> parse)
    {
        var card = await models.FindAsync(context.RequestAborted);
        var parsed = parse(parser, body, card, new(Caller.Of(context).Owner, time.GetUtcNow(), Activity.Current?.Id));
        if (parsed.Error is { } refused)
            return new(null, null, [], refused);
        var submission = await submitter.SubmitAsync(parsed.Job!, context.Request, bodyHash);
        return new(parsed.Job, submission.JobId, parsed.Warnings, submission.Error);
    }
}
