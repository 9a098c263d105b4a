using System.Collections.Concurrent;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Clients that wait for a job on an open connection: when the last of a job's hangs up, the job is cancelled.</summary>
/// <remarks>Nobody hangs up by being told that the queue is away, or because this process ends: such a client comes back for its job.</remarks>
public sealed partial class Waiters(JobQueue queue, IHostApplicationLifetime lifetime, ILogger<Waiters> logger)
{
    readonly ConcurrentDictionary<string, int> waiting = new();

    /// <summary>How many wait now.</summary>
    public int Count => waiting.Count;

    /// <summary>Waits until the job of a request that got in is final, and brings its pictures.</summary>
    /// <exception cref="OperationCanceledException">When the client hung up; the job is cancelled then, unless another client waits for it.</exception>
    public async Task<FinishedJob?> WaitAsync(Entry entry, CancellationToken hangup)
    {
        var jobId = entry.JobId!;
        Enter(jobId);
        try
        {
            return entry.Job is { } accepted && accepted.Id == jobId
                ? await queue.WaitWithPicturesAsync(accepted, hangup)
                : await queue.WaitWithPicturesAsync(jobId, hangup);
        }
        finally
        {
            await LeaveAsync(jobId, hangup);
        }
    }

    /// <summary>Counts a client in that waits for the job.</summary>
    public void Enter(string jobId) => waiting.AddOrUpdate(jobId, 1, static (_, count) => count + 1);

    /// <summary>Counts it out, and cancels the job if it was the last and hung up. A job that has ended stays as it is.</summary>
    public async Task LeaveAsync(string jobId, CancellationToken hangup)
    {
        if (waiting.AddOrUpdate(jobId, 0, static (_, count) => count - 1) > 0)
            return;
        waiting.TryRemove(new(jobId, 0));
        if (!hangup.IsCancellationRequested || lifetime.ApplicationStopping.IsCancellationRequested)
            return;
        try
        {
            await queue.CancelAsync(jobId, CancellationToken.None);
            HungUp(jobId);
        }
        catch (QueueUnavailableException exception)
        {
            // The picture is painted for nobody then, which costs time but harms no one.
            CouldNotCancel(jobId, exception.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Client hung up: job {JobId} cancelled")]
    partial void HungUp(string jobId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Client hung up, but job {JobId} could not be cancelled: {Reason}")]
    partial void CouldNotCancel(string jobId, string reason);
}
