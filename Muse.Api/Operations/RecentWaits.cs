using Muse.Queue;

namespace Muse.Api;

/// <summary>Waiting times of the images that all workers started recently.</summary>
public sealed class RecentWaits
{
    static readonly TimeSpan Window = TimeSpan.FromMinutes(5);
    const int MaxCount = 4096;
    readonly Queue<(DateTimeOffset At, double Seconds)> waits = new();

    /// <summary>The id of the latest addition. Reading continues after it.</summary>
    public string? Last { get; private set; }

    /// <summary>Adds images, oldest first.</summary>
    public void Add(IReadOnlyList<StartedImages> started)
    {
        foreach (var images in started)
        {
            foreach (var waited in images.Waited)
            {
                if (waits.Count == MaxCount)
                    waits.Dequeue();
                waits.Enqueue((images.At, waited.TotalSeconds));
            }
        }

        Last = started is [.., var last] ? last.Id : Last;
    }

    /// <summary>The median and the 95th percentile of the last five minutes, seconds; null where none was started.</summary>
    /// <param name="now">Redis' time.</param>
    public (double? P50, double? P95) Percentiles(DateTimeOffset now)
    {
        while (waits.TryPeek(out var oldest) && now - oldest.At > Window)
            waits.Dequeue();
        if (waits.Count == 0)
            return (null, null);
        double[] sorted = [.. waits.Select(wait => wait.Seconds).Order()];
        return (At(0.5), At(0.95));

        double At(double share) => sorted[(int)Math.Ceiling(share * sorted.Length) - 1];
    }
}
