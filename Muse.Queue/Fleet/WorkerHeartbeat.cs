namespace Muse.Queue;

/// <summary>What a worker says of itself every few seconds.</summary>
public sealed record WorkerHeartbeat
{
    /// <summary>Unique to the process.</summary>
    public required string Worker { get; init; }
    /// <summary>The resource instance it runs as, where something manages instances; else null.</summary>
    public string? Instance { get; init; }
    /// <summary>What it is about.</summary>
    public required WorkerState State { get; init; }
    /// <summary>The device it computes on, as a person would name it; a simulated one says so.</summary>
    public required string Device { get; init; }
    /// <summary>When the process started.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>When it said this.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>Most pictures at once.</summary>
    public required int Slots { get; init; }
    /// <summary>Who sits in the batch now, in which place.</summary>
    public required IReadOnlyList<BatchPlace> Batch { get; init; }
    /// <summary>Pictures a second with a full batch, as <see cref="RateMeter"/> measured them; null until measured.</summary>
    public double? PicturesPerSecond { get; init; }
    /// <summary>Pictures painted since it started.</summary>
    public long Painted { get; init; }
}

/// <summary>One taken place in a worker's batch.</summary>
/// <param name="Place">0 to <c>Slots - 1</c>.</param>
/// <param name="JobId">Whose picture.</param>
/// <param name="Index">Which of the job's pictures.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
public sealed record BatchPlace(int Place, string JobId, int Index, int Step, int Steps);

/// <summary>What a worker is about.</summary>
public enum WorkerState
{
    /// <summary>Loading and warming up.</summary>
    Starting,
    /// <summary>Takes work.</summary>
    Ready,
    /// <summary>Takes none and hands back what it has.</summary>
    Draining,
}
