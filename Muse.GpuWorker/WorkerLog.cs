namespace Muse.GpuWorker;

/// <summary>The worker's log messages.</summary>
static partial class WorkerLog
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Worker {Worker} is ready: {Model} on {Device}, {Slots} slots")]
    public static partial void Ready(ILogger logger, string worker, string model, string device, int slots);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Worker {Worker} can't generate and ends: {Reason}")]
    public static partial void CannotGenerate(ILogger logger, string worker, string reason, Exception? exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "Draining: {Count} images in flight are handed back")]
    public static partial void Draining(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Information, Message =
        "Removed from the fleet; {Count} images are abandoned until their leases run out")]
    public static partial void Removed(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message =
        "This worker could not be removed from the fleet; its heartbeat expires instead: {Reason}")]
    public static partial void NotRemoved(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue can't be reached: {Reason}")]
    public static partial void QueueUnavailable(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Image {Image} failed: {Reason}")]
    public static partial void Failed(ILogger logger, string image, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The progress of image {Image} was not reported")]
    public static partial void NotReported(ILogger logger, string image, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message =
        "Image {Image} could not be ended as {Outcome}; its lease will run out and another worker will continue it")]
    public static partial void NotEnded(ILogger logger, string image, string outcome, Exception exception);
}
