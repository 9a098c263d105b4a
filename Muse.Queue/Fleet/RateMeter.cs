namespace Muse.Queue;

/// <summary>
/// Measures <see cref="WorkerHeartbeat.ImagesPerSecond"/>, the rate of a worker with a full batch. A batch that is not full is slower,
/// so it may raise the measured rate, but neither set the first one nor lower it.
/// </summary>
public sealed class RateMeter
{
    /// <summary>The weight of a new observation in the moving average.</summary>
    const double Weight = 0.3;
    /// <summary>Shorter observations are combined until they cover this time.</summary>
    static readonly TimeSpan MinimumTime = TimeSpan.FromSeconds(2);

    double completed;
    TimeSpan busy;
    bool full = true;

    /// <summary>The measured rate; null until a full batch was observed.</summary>
    public double? ImagesPerSecond { get; private set; }

    /// <summary>Adds an observation.</summary>
    /// <param name="images">Images completed in this time, fractions included.</param>
    /// <param name="time">The time that it covers.</param>
    /// <param name="worked">Whether there was work at its end.</param>
    /// <param name="batchFull">Whether there was no free slot at its end.</param>
    public void Observe(double images, TimeSpan time, bool worked, bool batchFull)
    {
        if (!worked && images == 0)
            return;
        completed += images;
        busy += time;
        full &= batchFull;
        if (busy < MinimumTime || completed == 0)
            return;
        var rate = completed / busy.TotalSeconds;
        ImagesPerSecond = ImagesPerSecond is not { } known ? (full ? rate : null)
            : full || rate > known ? known + Weight * (rate - known)
            : known;
        (completed, busy, full) = (0, TimeSpan.Zero, true);
    }
}
