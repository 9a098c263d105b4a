namespace Muse.Queue;

/// <summary>The outcome of a submission.</summary>
public abstract record SubmitOutcome
{
    /// <summary>The job is in the queue. It will be completed or end with an error that says why.</summary>
    public sealed record Accepted(string JobId) : SubmitOutcome;

    /// <summary>The same request was accepted before, as this job. Nothing was added.</summary>
    public sealed record Duplicate(string JobId) : SubmitOutcome;

    /// <summary>The idempotency key was used before, with another request.</summary>
    public sealed record KeyReused(string JobId) : SubmitOutcome;

    /// <summary>The job would wait longer than allowed. Try again after <c>RetryAfter</c>.</summary>
    public sealed record QueueFull(TimeSpan RetryAfter, TimeSpan EstimatedWait) : SubmitOutcome;
}
