namespace Muse.Autoscaler;

/// <summary>What a worker paints with a full batch, from what workers with fuller and emptier ones report.</summary>
/// <remarks>
/// A step costs something whatever the batch and something for each picture in it, so a worker with B pictures at once and r a second
/// has B / r = a + bB: a straight line, drawn through the readings at different B. It is believed up to twice the fullest batch that was seen,
/// and never leaves what is possible: no slower than that batch, no faster than if further pictures cost nothing.
/// Without this, a fleet that is too large looks slow because its batches are empty, and stays too large.
/// </remarks>
sealed class WorkerRate(double? configured)
{
    // How much a new reading moves what is known of its batch size.
    const double Weight = 0.3;
    // Readings closer together than this tell nothing of the slope.
    const double Spread = 1.5;
    readonly SortedDictionary<int, (double Pictures, double Seconds)> byBatch = [];
    (double Pictures, double Rate)? smooth;
    int slots = 1;

    /// <summary>Takes the workers' reports.</summary>
    public void Read(IReadOnlyList<WorkerHeartbeat> workers)
    {
        var measured = workers.Where(worker => worker is { State: WorkerState.Ready, PicturesPerSecond: > 0, Slots: > 0, Batch.Count: > 0 }).ToList();
        if (measured.Count == 0) return;
        slots = measured.Max(worker => worker.Slots);
        var now = (Pictures: measured.Average(worker => worker.Batch.Count), Rate: measured.Average(worker => worker.PicturesPerSecond!.Value));
        // The batch is that of this moment and the rate that of a while, which only agree on average; a full batch has been full for a while.
        var (pictures, rate) = smooth is { } before && now.Pictures < 0.9 * slots
            ? (before.Pictures + Weight * (now.Pictures - before.Pictures), before.Rate + Weight * (now.Rate - before.Rate))
            : now;
        smooth = (pictures, rate);
        var seconds = pictures / rate;
        var size = (int)Math.Round(pictures);
        byBatch[size] = byBatch.TryGetValue(size, out var known)
            ? (known.Pictures + Weight * (pictures - known.Pictures), known.Seconds + Weight * (seconds - known.Seconds))
            : (pictures, seconds);
    }

    /// <summary>Pictures a second, or null while nobody knows. What was configured stands until a batch was at least half full.</summary>
    public double? PicturesPerSecond
    {
        get
        {
            if (byBatch.Count == 0) return configured;
            var fullest = byBatch.Values.Last();
            if (configured is not null && fullest.Pictures < slots / 2.0) return configured;
            var (slowest, batch) = (fullest.Pictures / fullest.Seconds, Math.Min(slots, 2 * fullest.Pictures));
            if (fullest.Pictures < Spread * byBatch.Values.First().Pictures) return slowest;
            return Math.Clamp(batch / Line(batch), slowest, Math.Max(slowest, batch / fullest.Seconds));
        }
    }

    /// <summary>Least squares through the readings, at a batch of so many pictures.</summary>
    double Line(double pictures)
    {
        var (x, y) = (byBatch.Values.Average(reading => reading.Pictures), byBatch.Values.Average(reading => reading.Seconds));
        var slope = byBatch.Values.Sum(reading => (reading.Pictures - x) * (reading.Seconds - y)) / byBatch.Values.Sum(reading => (reading.Pictures - x) * (reading.Pictures - x));
        return Math.Max(1e-9, y + slope * (pictures - x));
    }
}
