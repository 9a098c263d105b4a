using System.Text.Json.Serialization;

namespace Muse.Queue;

/// <summary>A worker's state, which it stores about once per second.</summary>
public sealed record WorkerHeartbeat
{
    /// <summary>The worker's name, unique to its process.</summary>
    public required string Worker { get; init; }
    /// <summary>The name of the resource instance, where something manages instances; else null.</summary>
    public string? Instance { get; init; }
    /// <summary>Its state.</summary>
    public required WorkerState State { get; init; }
    /// <summary>The name of its device, for people. A simulated device is named as such.</summary>
    public required string Device { get; init; }
    /// <summary>When the process started.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>When this heartbeat was made, by the worker's clock.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>Images in a full batch.</summary>
    public required int Slots { get; init; }
    /// <summary>The images in the batch.</summary>
    public required IReadOnlyList<BatchSlot> Batch { get; init; }
    /// <summary>Images per second with a full batch, measured by <see cref="RateMeter"/>; null until measured.</summary>
    [JsonPropertyName("PicturesPerSecond")]
    public double? ImagesPerSecond { get; init; }
    /// <summary>Images completed since the worker started.</summary>
    [JsonPropertyName("Painted")]
    public long Completed { get; init; }
}

/// <summary>An occupied slot of a worker's batch.</summary>
/// <param name="Slot">Its slot in the batch, 0 to <c>Slots - 1</c>.</param>
/// <param name="JobId">Its job.</param>
/// <param name="Index">Its index in the job.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
public sealed record BatchSlot([property: JsonPropertyName("Place")] int Slot, string JobId, int Index, int Step, int Steps);

/// <summary>The state of a worker.</summary>
public enum WorkerState
{
    /// <summary>Loading and warming up.</summary>
    Starting,
    /// <summary>Takes work.</summary>
    Ready,
    /// <summary>Takes no more work and hands back its images.</summary>
    Draining,
}
