using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

/// <summary>Snapshots of a fleet for the tests of the policies.</summary>
static class Facts
{
    public static readonly DateTimeOffset Now = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    public static FleetSnapshot Of(
        int desired, long waiting, long pending = 0, double? arrivals = 0, double? rate = 3.75,
        int? ready = null, int starting = 0, double age = 0) => new()
        {
            Queue = new(waiting, pending, null, 0, 0, Now),
            Arrivals = arrivals,
            SteadyArrivals = arrivals,
            WorkerRate = rate,
            Slots = 12,
            Desired = desired,
            Workers =
            [
                .. Enumerable.Range(0, ready ?? desired)
                    .Select(i => new WorkerFacts($"ready{i}", WorkerState.Ready, TimeSpan.FromHours(1))),
                .. Enumerable.Range(0, starting)
                    .Select(i => new WorkerFacts($"starting{i}", WorkerState.Starting, TimeSpan.FromSeconds(age))),
            ],
        };

    /// <summary>The same snapshot, after the policy has recommended this number at every measurement for this long.</summary>
    public static FleetSnapshot Steadily(this FleetSnapshot snapshot, int workers, TimeSpan since) => snapshot with
    {
        Recommended = [.. Enumerable.Range(0, (int)(since / TimeSpan.FromSeconds(30)) + 1).Reverse()
            .Select(i => new Recommendation(Now - TimeSpan.FromSeconds(30) * i, workers))],
    };
}
