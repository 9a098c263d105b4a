namespace Muse.Queue;

/// <summary>The queue as the API sees it: submit, wait, look up, cancel.</summary>
/// <remarks>Every method throws <see cref="QueueUnavailableException"/> while Redis can't be reached.</remarks>
public sealed class JobQueue
{
    /// <summary>Accepts a job, atomically: its hash, one stream entry a picture, and a wake-up.</summary>
    public Task<SubmitOutcome> SubmitAsync(ImageJob job, IdempotencyToken? idempotency, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>The job as it stands, or null if there is none (or no longer).</summary>
    public Task<JobSnapshot?> FindAsync(string jobId, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Waits until the job is final. One subscription a process serves every waiter.</summary>
    /// <returns>The final snapshot, or null if there is no such job.</returns>
    public Task<JobSnapshot?> WaitAsync(string jobId, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>The job now (if its revision is above <paramref name="afterRevision"/>), then again after each change, ending with the final state. Changes in quick succession may come as one.</summary>
    public IAsyncEnumerable<JobSnapshot> WatchAsync(string jobId, long afterRevision, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>A finished picture's bytes, or null.</summary>
    public Task<StoredPicture?> FindPictureAsync(string jobId, int index, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>The latest preview of a picture, or null.</summary>
    public Task<StoredPicture?> FindPreviewAsync(string jobId, int index, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Cancels what is not final yet: what waits is never begun, what runs leaves at the next step.</summary>
    /// <returns>The job after that, or null if there is none.</returns>
    public Task<JobSnapshot?> CancelAsync(string jobId, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>A caller's jobs, newest first.</summary>
    public Task<JobPage> ListAsync(string owner, string? cursor, int limit, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>How many pictures stand before the job's first waiting picture, and how long they will take at the measured rate; null when it does not wait.</summary>
    public Task<QueuePosition?> PositionAsync(string jobId, CancellationToken cancellation) => throw new NotImplementedException();
}

/// <summary>A place in the queue.</summary>
/// <param name="Ahead">Pictures that stand before it.</param>
/// <param name="EstimatedWait">Until it begins, from the measured throughput; null while none was measured.</param>
public readonly record struct QueuePosition(long Ahead, TimeSpan? EstimatedWait);

/// <summary>Redis can't be reached, or did not answer in time.</summary>
public sealed class QueueUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
