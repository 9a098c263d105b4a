namespace Muse.Autoscaler;

/// <summary>What a worker paints with a full batch, from what workers with fuller and emptier ones report.</summary>
/// <remarks>
/// A half-empty batch paints fewer pictures a second than a full one, so a reading gives way only to one from a batch about as full,
/// or when it has grown old. Readings from nearly empty batches make a worker look slower than it is, which asks for too many, never too few.
/// </remarks>
sealed class WorkerRate(double? configured)
{
    static readonly TimeSpan Old = TimeSpan.FromMinutes(10);
    (DateTimeOffset At, double Fullness, double Rate)? kept;

    /// <summary>Takes the workers' reports.</summary>
    public void Read(DateTimeOffset at, IReadOnlyList<WorkerHeartbeat> workers)
    {
        var measured = workers.Where(worker => worker is { State: WorkerState.Ready, PicturesPerSecond: > 0, Slots: > 0, Batch.Count: > 0 }).ToList();
        if (measured.Count == 0) return;
        var fullness = (double)measured.Sum(worker => worker.Batch.Count) / measured.Sum(worker => worker.Slots);
        if (kept is { } old && fullness < old.Fullness * 0.9 && at - old.At < Old) return;
        kept = (at, fullness, measured.Average(worker => worker.PicturesPerSecond!.Value));
    }

    /// <summary>Pictures a second, or null while nobody knows. What was configured stands until a batch was at least half full.</summary>
    public double? PicturesPerSecond => kept is { } reading && (reading.Fullness >= 0.5 || configured is null) ? reading.Rate : configured;
}
