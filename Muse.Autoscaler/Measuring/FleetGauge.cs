using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>Looks at the queue and the workers, and remembers of earlier looks what rates and doubts need.</summary>
public sealed class FleetGauge(IFleet fleet, IOptions<AutoscalerOptions> options, SteadyClock clock, ILogger<FleetGauge> logger)
{
    // Redis and this machine may drift and a look may take a moment; more than this is a clock that was set.
    static readonly TimeSpan Jump = TimeSpan.FromSeconds(5);
    readonly AutoscalerOptions options = options.Value;
    readonly ArrivalRate arrivals = new(options.Value.Interval);
    readonly WorkerRate rate = new(options.Value.PicturesPerSecond);
    readonly List<(DateTimeOffset At, int Workers)> heard = [];
    readonly HashSet<string> stuck = [];
    (DateTimeOffset At, QueueMeasurement Queue)? last;
    (DateTimeOffset Since, int Desired, bool Said)? shortfall;

    /// <summary>How long a worker may start before it counts as stuck, and a pool may owe one before that is said.</summary>
    public TimeSpan Patience => TimeSpan.FromTicks(Math.Max(options.ColdStart.Ticks * 3, options.Interval.Ticks * 3));

    /// <summary>One look. Throws what Redis throws.</summary>
    /// <param name="desired">The number decided last.</param>
    /// <param name="cancellation">Ends the look.</param>
    public async Task<FleetSnapshot> LookAsync(int desired, CancellationToken cancellation)
    {
        var queue = await fleet.MeasureAsync(cancellation);
        var heartbeats = await fleet.WorkersAsync(cancellation);
        var now = clock.Now;
        var doubt = ReadClockAndCounters(now, queue) ?? ReadHeard(now, heartbeats.Count, desired);
        rate.Read(heartbeats);
        last = (now, queue);
        return new()
        {
            Queue = queue,
            Arrivals = arrivals.Last,
            SteadyArrivals = arrivals.LastTwo,
            WorkerRate = rate.PicturesPerSecond,
            Slots = heartbeats.Count > 0 ? Math.Max(1, heartbeats.Max(worker => worker.Slots)) : options.Slots,
            Workers = [.. heartbeats.Select(Facts)],
            Desired = desired,
            Doubt = doubt,
        };
    }

    WorkerFacts Facts(WorkerHeartbeat heartbeat)
    {
        // Both by the worker's own clock, so that a clock that differs from ours does no harm.
        var age = heartbeat.At - heartbeat.StartedAt;
        var late = heartbeat.State is WorkerState.Starting && age > Patience;
        if (late && stuck.Add(heartbeat.Worker))
            Log.WorkerNeverReady(logger, heartbeat.Worker, heartbeat.Device, age);
        if (!late)
            stuck.Remove(heartbeat.Worker);
        return new(heartbeat.Worker, heartbeat.State, age, late);
    }

    string? ReadClockAndCounters(DateTimeOffset now, QueueMeasurement queue)
    {
        var fell = arrivals.Read(now, queue.Arrivals);
        if (last is not { } before)
            return "this is the first look";
        if (fell)
        {
            Log.CountersBeganAnew(logger, before.Queue.Arrivals, queue.Arrivals);
            return "Redis' counters began anew";
        }
        var (passed, theirs) = (now - before.At, queue.At - before.Queue.At);
        if (theirs == TimeSpan.Zero && passed > TimeSpan.FromSeconds(1))
        {
            Log.Stale(logger, queue.At, passed);
            return $"the measurement is stale, the same for {passed.TotalSeconds:0} s";
        }
        if ((theirs - passed).Duration() > Jump)
        {
            Log.ClockJumped(logger, theirs - passed);
            return $"Redis' clock jumped by {(theirs - passed).TotalSeconds:0} s";
        }
        return arrivals.Last is null ? "arrivals are not known yet" : null;
    }

    /// <summary>Fewer workers heard of than lately, though none was to go: crashed, or only their heartbeats lost.</summary>
    string? ReadHeard(DateTimeOffset now, int count, int desired)
    {
        heard.RemoveAll(past => now - past.At > options.StabilisationWindow);
        var lately = Math.Min(desired, heard.Select(past => past.Workers).DefaultIfEmpty(0).Max());
        heard.Add((now, count));
        if (count >= desired)
        {
            shortfall = null;
        }
        else if (shortfall is null || desired > shortfall.Value.Desired)
        {
            shortfall = (now, desired, false);
        }
        else if (!shortfall.Value.Said && now - shortfall.Value.Since > Patience)
        {
            Log.PoolOwesWorkers(logger, desired, count, now - shortfall.Value.Since);
            shortfall = shortfall.Value with { Said = true };
        }
        if (count >= lately)
            return null;
        Log.HeartbeatsMissing(logger, count, lately);
        return $"only {count} of {lately} workers are heard of";
    }
}
