namespace Muse.Queue;

/// <summary>Measures <see cref="WorkerHeartbeat.PicturesPerSecond"/>: what a worker can paint. A half-empty batch shows less than it can: it may raise the figure, but neither set the first nor lower it.</summary>
public sealed class RateMeter
{
    /// <summary>How much a new observation counts.</summary>
    const double Weight = 0.3;
    /// <summary>Shorter observations are gathered until they are as long.</summary>
    static readonly TimeSpan Shortest = TimeSpan.FromSeconds(2);

    double completed;
    TimeSpan busy;
    bool full = true;

    /// <summary>The figure; null until a full batch was seen at work.</summary>
    public double? PicturesPerSecond { get; private set; }

    /// <summary>Takes an observation in.</summary>
    /// <param name="pictures">Pictures painted in it, and parts of pictures.</param>
    /// <param name="time">How long it was.</param>
    /// <param name="worked">Whether there was work at its end.</param>
    /// <param name="batchFull">Whether there was no free slot at its end.</param>
    public void Observe(double pictures, TimeSpan time, bool worked, bool batchFull)
    {
        if (!worked && pictures == 0)
            return;
        completed += pictures;
        busy += time;
        full &= batchFull;
        if (busy < Shortest || completed == 0)
            return;
        var rate = completed / busy.TotalSeconds;
        PicturesPerSecond = PicturesPerSecond is not { } known ? (full ? rate : null)
            : full || rate > known ? known + Weight * (rate - known)
            : known;
        (completed, busy, full) = (0, TimeSpan.Zero, true);
    }
}
