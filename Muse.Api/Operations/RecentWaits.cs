using Muse.Queue;

namespace Muse.Api;

/// <summary>How long the pictures waited that this process answered with lately.</summary>
public sealed class RecentWaits(TimeProvider time)
{
    static readonly TimeSpan Window = TimeSpan.FromMinutes(5);
    const int Most = 4096;
    readonly Queue<(long At, double Seconds)> waits = new();

    /// <summary>Notes a finished job's waiting times.</summary>
    public void Add(JobSnapshot job)
    {
        lock (waits)
            foreach (var picture in job.Pictures)
                if (picture is { State: JobState.Succeeded, Timings: { } timings })
                {
                    if (waits.Count == Most)
                        waits.Dequeue();
                    waits.Enqueue((time.GetTimestamp(), timings.Waited.TotalSeconds));
                }
    }

    /// <summary>The median and the 95th percentile of the last five minutes, seconds; null where nothing ended.</summary>
    public (double? P50, double? P95) Percentiles()
    {
        double[] sorted;
        lock (waits)
        {
            while (waits.TryPeek(out var oldest) && time.GetElapsedTime(oldest.At) > Window)
                waits.Dequeue();
            sorted = [.. waits.Select(wait => wait.Seconds)];
        }
        if (sorted.Length == 0)
            return (null, null);
        Array.Sort(sorted);
        return (At(0.5), At(0.95));

        double At(double share) => sorted[(int)Math.Ceiling(share * sorted.Length) - 1];
    }
}
