using System.Collections.Concurrent;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Connections that wait for a job. When the last connection of a job is closed by its client, the job is cancelled.</summary>
/// <remarks>
/// A 503 and the end of this process do not count as a disconnect: such a client retries and finds its job.
/// A job that a retry can find (<see cref="RequestIdentity"/>) is not cancelled here.
/// </remarks>
public sealed class WaitingConnections(JobQueue queue, AbandonedJobs abandoned, IHostApplicationLifetime lifetime)
{
    readonly ConcurrentDictionary<string, int> waiting = new();

    /// <summary>The number of jobs that connections wait for.</summary>
    public int Count => waiting.Count;

    /// <summary>
    /// Waits until the job of a submission is final, and returns it with its images, whose memory is valid until the response has ended.
    /// </summary>
    /// <exception cref="OperationCanceledException">The client has disconnected.</exception>
    public async Task<FinishedJob?> WaitAsync(SubmissionResult.Accepted submission, HttpContext context)
    {
        var disconnected = context.RequestAborted;
        Add(submission.JobId);
        try
        {
            var job = submission.IsNew
                ? await queue.WaitWithImagesAsync(submission.Job, disconnected)
                : await queue.WaitWithImagesAsync(submission.JobId, disconnected);
            if (job is not null)
                context.Response.RegisterForDispose(job);
            return job;
        }
        finally
        {
            Remove(submission.JobId, submission.CancelOnDisconnect, disconnected);
        }
    }

    /// <summary>Counts a connection in.</summary>
    public void Add(string jobId) => waiting.AddOrUpdate(jobId, 1, static (_, count) => count + 1);

    /// <summary>
    /// Counts a connection out. Cancels the job if it was the last one and its client has disconnected. A job that has ended stays as it
    /// is.
    /// </summary>
    public void Remove(string jobId, bool cancelOnDisconnect, CancellationToken disconnected)
    {
        if (waiting.AddOrUpdate(jobId, 0, static (_, count) => count - 1) > 0)
            return;
        waiting.TryRemove(new(jobId, 0));
        if (cancelOnDisconnect && disconnected.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested)
            abandoned.Cancel(jobId);
    }
}
