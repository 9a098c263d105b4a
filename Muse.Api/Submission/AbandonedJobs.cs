using System.Threading.Channels;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Cancels jobs that no client waits for any more, and retries while Redis is unavailable.</summary>
public sealed partial class AbandonedJobs(JobQueue queue, TimeProvider time, ILogger<AbandonedJobs> logger) : BackgroundService
{
    static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>With Redis unavailable, jobs beyond this number are not remembered. They are generated for no client.</summary>
    const int MaxPending = 10_000;

    readonly Channel<string> jobs =
        Channel.CreateBounded<string>(new BoundedChannelOptions(MaxPending) { FullMode = BoundedChannelFullMode.DropOldest });

    /// <summary>Cancels a job soon. A job that has ended stays as it is.</summary>
    public void Cancel(string jobId) => jobs.Writer.TryWrite(jobId);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var jobId in jobs.Reader.ReadAllAsync(stoppingToken))
        {
            while (!await TryCancelAsync(jobId))
                await Task.Delay(RetryDelay, time, stoppingToken);
        }
    }

    async Task<bool> TryCancelAsync(string jobId)
    {
        try
        {
            await queue.CancelAsync(jobId, CancellationToken.None);
            Cancelled(jobId);
            return true;
        }
        catch (QueueUnavailableException exception)
        {
            NotCancelled(jobId, exception.Message);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "No client waits for job {JobId} any more: cancelled")]
    partial void Cancelled(string jobId);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "No client waits for job {JobId} any more, but it could not be cancelled yet: {Reason}")]
    partial void NotCancelled(string jobId, string reason);
}
