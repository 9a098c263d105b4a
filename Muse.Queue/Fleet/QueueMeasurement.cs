using System.Text.Json.Serialization;

namespace Muse.Queue;

/// <summary>A measurement of the queue.</summary>
/// <param name="Waiting">Images that were neither delivered to a worker nor cancelled yet.</param>
/// <param name="Pending">Images that were delivered to a worker and have not ended.</param>
/// <param name="OldestWaiting">How long the oldest undelivered entry has waited; null when none waits.</param>
/// <param name="Arrivals">Images ever added.</param>
/// <param name="Ended">Images ever ended, in any way.</param>
/// <param name="At">When it was measured, by the clock of Redis.</param>
public sealed record QueueMeasurement(
    long Waiting, long Pending, TimeSpan? OldestWaiting, long Arrivals,
    [property: JsonPropertyName("Completed")] long Ended, DateTimeOffset At);
