namespace Muse.Queue;

/// <summary>Entries that can't be painted: crashed workers too often, or can't be read. For a person to look at and requeue.</summary>
public sealed class DeadLetters
{
    /// <summary>The newest first.</summary>
    public Task<IReadOnlyList<DeadLetter>> ListAsync(int count, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Puts it back on the stream as new, its job queued again.</summary>
    /// <returns>False when there is no such letter, or its job has expired.</returns>
    public Task<bool> RequeueAsync(string id, CancellationToken cancellation) => throw new NotImplementedException();
}

/// <summary>A dead letter.</summary>
/// <param name="Id">Its id in the dead-letter stream.</param>
/// <param name="JobId">Its job, where that could be read.</param>
/// <param name="Index">Which of the job's pictures.</param>
/// <param name="Reason">Why it lies here.</param>
/// <param name="At">Since when.</param>
public sealed record DeadLetter(string Id, string? JobId, int Index, string Reason, DateTimeOffset At);
