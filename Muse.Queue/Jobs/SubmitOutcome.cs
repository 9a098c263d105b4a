namespace Muse.Queue;

/// <summary>What became of a job that was submitted.</summary>
public abstract record SubmitOutcome
{
    /// <summary>It stands in the queue, and will be painted or end with an error that says why.</summary>
    public sealed record Accepted(string JobId) : SubmitOutcome;

    /// <summary>The same request was accepted before, as this job; nothing was added.</summary>
    public sealed record Duplicate(string JobId) : SubmitOutcome;

    /// <summary>The idempotency key was used before with another request.</summary>
    public sealed record KeyReused(string JobId) : SubmitOutcome;

    /// <summary>It would wait longer than the queue promises; try again then.</summary>
    public sealed record QueueFull(TimeSpan RetryAfter, TimeSpan EstimatedWait) : SubmitOutcome;
}

/// <summary>How to recognise a request that comes twice.</summary>
/// <param name="Key">Unique to the caller: a hash of its <c>Idempotency-Key</c>.</param>
/// <param name="RequestHash">A hash of the request's body: another body under the same key is refused.</param>
/// <param name="Window">How long it is remembered.</param>
public sealed record IdempotencyToken(string Key, string RequestHash, TimeSpan Window);
