using Muse.Queue;

namespace Muse.Api;

/// <summary>Deletes objects that no job needs from the object store, if there is one. One API process does it at a time.</summary>
public sealed partial class ObjectSweeper(ObjectSweep sweep, TimeProvider time, ILogger<ObjectSweeper> logger) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!sweep.Enabled)
            return;
        using var timer = new PeriodicTimer(sweep.Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                if (await sweep.TryRunAsync(stoppingToken) is > 0 and var deleted)
                    Deleted(deleted);
            }
            catch (QueueUnavailableException exception)
            {
                NotSwept(exception.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted {Objects} objects of the object store that no job needs")]
    partial void Deleted(int objects);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The object store is not swept this time: {Reason}")]
    partial void NotSwept(string reason);
}
