using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>The system at one moment, for operators.</summary>
public sealed record OperationsNow
{
    /// <summary>When it was measured, by Redis' clock.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The queue in numbers.</summary>
    public required OperationsQueue Queue { get; init; }
    /// <summary>Images that ended per second, over the last ten seconds; null until measured.</summary>
    [JsonPropertyName("pictures_per_second")]
    public double? ImagesPerSecond { get; init; }
    /// <summary>
    /// Median waiting time of the images that workers started in the last five minutes, seconds; null where there were none.
    /// </summary>
    public double? WaitP50 { get; init; }
    /// <summary>The 95th percentile of the same, seconds.</summary>
    public double? WaitP95 { get; init; }
    /// <summary>The workers with a heartbeat in the last 15 s.</summary>
    public required IReadOnlyList<OperationsWorker> Workers { get; init; }
    /// <summary>The autoscaler's latest decision.</summary>
    public OperationsDecision? Decision { get; init; }
    /// <summary>Its decisions, newest first.</summary>
    public required IReadOnlyList<OperationsDecision> Decisions { get; init; }
    /// <summary>The newest dead letters.</summary>
    public required IReadOnlyList<OperationsDeadLetter> DeadLetters { get; init; }
}

/// <summary>The queue in numbers.</summary>
/// <param name="Waiting">Images that wait.</param>
/// <param name="Pending">Images in progress.</param>
/// <param name="OldestWaitingSeconds">How long the oldest waiting image has waited.</param>
/// <param name="Arrivals">Images submitted.</param>
/// <param name="Completed">Images completed, failed or cancelled.</param>
public sealed record OperationsQueue(long Waiting, long Pending, double? OldestWaitingSeconds, long Arrivals, long Completed);

/// <summary>A worker.</summary>
/// <param name="Worker">Its name.</param>
/// <param name="Instance">The instance it runs as, where something manages instances.</param>
/// <param name="State">starting, ready or draining.</param>
/// <param name="Device">The device that it computes on.</param>
/// <param name="StartedAt">When it started.</param>
/// <param name="At">When it sent its latest heartbeat.</param>
/// <param name="Slots">Most images at once.</param>
/// <param name="Batch">The occupied slots of its batch.</param>
/// <param name="ImagesPerSecond">Measured while busy.</param>
/// <param name="Completed">Images completed since it started.</param>
public sealed record OperationsWorker(string Worker, string? Instance, string State, string Device, DateTimeOffset StartedAt,
    DateTimeOffset At, int Slots, IReadOnlyList<OperationsPlace> Batch,
    [property: JsonPropertyName("pictures_per_second")] double? ImagesPerSecond, [property: JsonPropertyName("painted")] long Completed);

/// <summary>An occupied place in a batch. The job's id is shortened, as the whole id would give access to the job's images.</summary>
/// <param name="Place">The slot, 0 to slots - 1.</param>
/// <param name="JobId">The beginning of the job's id.</param>
/// <param name="Index">Which of its images.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
public sealed record OperationsPlace(int Place, string JobId, int Index, int Step, int Steps);

/// <summary>A decision of the autoscaler.</summary>
/// <param name="Workers">Workers wanted.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When.</param>
/// <param name="Policy">The policy's name.</param>
public sealed record OperationsDecision(int Workers, string Reason, DateTimeOffset At, string Policy);

/// <summary>An image that was given up.</summary>
/// <param name="Id">The id of the dead letter, for requeueing.</param>
/// <param name="JobId">The beginning of its job's id, where that could be read.</param>
/// <param name="Index">Which of the job's images.</param>
/// <param name="Reason">Why it was given up.</param>
/// <param name="At">When.</param>
public sealed record OperationsDeadLetter(string Id, string? JobId, int Index, string Reason, DateTimeOffset At);

/// <summary>Dead letters, newest first.</summary>
/// <param name="Object">Always list.</param>
/// <param name="Data">The letters.</param>
public sealed record OperationsDeadLetters(string Object, IReadOnlyList<OperationsDeadLetter> Data);

/// <summary>A point of the last hour's charts.</summary>
/// <param name="At">When.</param>
/// <param name="Waiting">Images that wait.</param>
/// <param name="ImagesPerSecond">Images that ended per second.</param>
/// <param name="P50">Median waiting time, seconds.</param>
/// <param name="P95">Its 95th percentile, seconds.</param>
/// <param name="Workers">Workers up.</param>
/// <param name="Wanted">Workers wanted by the autoscaler.</param>
public sealed record OperationsPoint(DateTimeOffset At, long Waiting,
    [property: JsonPropertyName("pictures_per_second")] double? ImagesPerSecond, double? P50, double? P95, int Workers, int? Wanted);
