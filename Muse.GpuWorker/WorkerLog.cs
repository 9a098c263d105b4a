namespace Muse.GpuWorker;

/// <summary>The worker's log messages.</summary>
static partial class WorkerLog
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Worker {Worker} is ready: {Model} on {Device}, {Slots} slots")]
    public static partial void Ready(ILogger logger, string worker, string model, string device, int slots);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Worker {Worker} can't paint and ends: {Reason}")]
    public static partial void CannotPaint(ILogger logger, string worker, string reason, Exception? problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "Draining: {Count} pictures in work are handed back")]
    public static partial void Draining(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Left the fleet; {Count} pictures are left to their leases")]
    public static partial void Left(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The fleet was not told that this worker leaves, and forgets it by its silence: {Reason}")]
    public static partial void LeftSilently(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue can't be reached: {Reason}")]
    public static partial void Away(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Picture {Picture} failed: {Reason}")]
    public static partial void Failed(ILogger logger, string picture, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The progress of picture {Picture} was not told")]
    public static partial void NotTold(ILogger logger, string picture, Exception problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Picture {Picture} could not be ended as {How}; its lease runs out and another worker goes on")]
    public static partial void NotEnded(ILogger logger, string picture, string how, Exception problem);
}
