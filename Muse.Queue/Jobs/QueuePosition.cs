namespace Muse.Queue;

/// <summary>A position in the queue.</summary>
/// <param name="Ahead">The number of images ahead.</param>
/// <param name="EstimatedWait">The time until it begins, from the measured throughput; null while none was measured.</param>
public readonly record struct QueuePosition(long Ahead, TimeSpan? EstimatedWait);
