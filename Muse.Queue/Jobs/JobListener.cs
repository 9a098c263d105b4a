namespace Muse.Queue;

/// <summary>Waits for changes of one job, until it is disposed.</summary>
sealed class JobListener(JobEvents events, string jobId, bool finalOnly) : IDisposable
{
    readonly Lock gate = new();
    TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    long notified;

    public string JobId => jobId;

    internal void Notify(long revision, JobState state)
    {
        if (finalOnly && !state.IsFinal())
            return;
        lock (gate)
        {
            // Not "greater than": a Redis that lost its last second continues from an earlier revision.
            if (revision == notified && !state.IsFinal())
                return;
            notified = revision;
            changed.TrySetResult();
        }
    }

    /// <summary>Completes when the job has changed since the last call.</summary>
    public async Task ChangedAsync(CancellationToken cancellation)
    {
        await changed.Task.WaitAsync(cancellation);
        lock (gate)
            changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public void Dispose() => events.Remove(this);
}
