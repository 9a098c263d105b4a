using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>Measures the queue and the workers. Keeps earlier measurements for rates and for checks of reliability.</summary>
public sealed class FleetGauge(IFleet fleet, IOptions<AutoscalerOptions> options, MonotonicClock clock, ILogger<FleetGauge> logger)
{
    // Clocks drift and a measurement takes a moment. A larger difference means that a clock was set.
    static readonly TimeSpan MaxClockDifference = TimeSpan.FromSeconds(5);
    readonly AutoscalerOptions options = options.Value;
    readonly ArrivalRate arrivals = new(options.Value.Interval);
    readonly WorkerRate rate = new(options.Value.PicturesPerSecond);
    readonly List<(DateTimeOffset At, int Workers)> alive = [];
    readonly HashSet<string> stuck = [];
    (DateTimeOffset At, QueueMeasurement Queue)? last;
    (DateTimeOffset Since, int Desired, bool Logged)? shortfall;

    /// <summary>
    /// How long a worker may be starting before it counts as stuck, and how long one may be missing before that is logged.
    /// </summary>
    public TimeSpan StartLimit => TimeSpan.FromTicks(Math.Max(options.ColdStart.Ticks * 3, options.Interval.Ticks * 3));

    /// <summary>Measures once. Throws <see cref="QueueUnavailableException"/> while Redis is unavailable.</summary>
    /// <param name="desired">The number decided last.</param>
    /// <param name="cancellation">Cancels the measurement.</param>
    public async Task<FleetSnapshot> MeasureAsync(int desired, CancellationToken cancellation)
    {
        var queue = await fleet.MeasureAsync(cancellation);
        var heartbeats = await fleet.WorkersAsync(cancellation);
        var now = clock.Now;
        var blocker = CheckClockAndCounters(now, queue) ?? CheckHeartbeats(now, heartbeats.Count, desired);
        rate.Read(heartbeats);
        last = (now, queue);
        return new()
        {
            Queue = queue,
            Arrivals = arrivals.Last,
            SteadyArrivals = arrivals.LastTwo,
            WorkerRate = rate.ImagesPerSecond,
            Slots = heartbeats.Count > 0 ? Math.Max(1, heartbeats.Max(worker => worker.Slots)) : options.Slots,
            Workers = [.. heartbeats.Select(Facts)],
            Desired = desired,
            ScaleDownBlocker = blocker,
        };
    }

    WorkerFacts Facts(WorkerHeartbeat heartbeat)
    {
        // Both times are from the worker's clock, so that differences between clocks cancel out.
        var age = heartbeat.At - heartbeat.StartedAt;
        var stuckInStart = heartbeat.State is WorkerState.Starting && age > StartLimit;
        if (stuckInStart && stuck.Add(heartbeat.Worker))
            Log.WorkerNeverReady(logger, heartbeat.Worker, heartbeat.Device, age);
        if (!stuckInStart)
            stuck.Remove(heartbeat.Worker);
        return new(heartbeat.Worker, heartbeat.State, age, stuckInStart, heartbeat.Batch.Count, heartbeat.Instance);
    }

    string? CheckClockAndCounters(DateTimeOffset now, QueueMeasurement queue)
    {
        var reset = arrivals.Read(now, queue.Arrivals);
        if (last is not { } before)
            return "this is the first measurement";
        if (reset)
        {
            Log.CountersReset(logger, before.Queue.Arrivals, queue.Arrivals);
            return "the counters of Redis were reset";
        }
        var (passed, passedInRedis) = (now - before.At, queue.At - before.Queue.At);
        if (passedInRedis == TimeSpan.Zero && passed > TimeSpan.FromSeconds(1))
        {
            Log.StaleMeasurement(logger, queue.At, passed);
            return $"the measurement is stale, the same for {passed.TotalSeconds:0} s";
        }
        if ((passedInRedis - passed).Duration() > MaxClockDifference)
        {
            Log.ClockJumped(logger, passedInRedis - passed);
            return $"the clock of Redis jumped by {(passedInRedis - passed).TotalSeconds:0} s";
        }
        return arrivals.Last is null ? "arrivals are not known yet" : null;
    }

    /// <summary>
    /// Checks whether fewer workers send heartbeats than recently, though none was stopped: they crashed, or only their heartbeats got
    /// lost.
    /// </summary>
    string? CheckHeartbeats(DateTimeOffset now, int count, int desired)
    {
        alive.RemoveAll(past => now - past.At > options.StabilisationWindow);
        var recent = Math.Min(desired, alive.Select(past => past.Workers).DefaultIfEmpty(0).Max());
        alive.Add((now, count));
        if (count >= desired)
        {
            shortfall = null;
        }
        else if (shortfall is null || desired > shortfall.Value.Desired)
        {
            shortfall = (now, desired, false);
        }
        else if (!shortfall.Value.Logged && now - shortfall.Value.Since > StartLimit)
        {
            Log.WorkersMissing(logger, desired, count, now - shortfall.Value.Since);
            shortfall = shortfall.Value with { Logged = true };
        }
        if (count >= recent)
            return null;
        Log.HeartbeatsMissing(logger, count, recent);
        return $"only {count} of {recent} workers send heartbeats";
    }
}
