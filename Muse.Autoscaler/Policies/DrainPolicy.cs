using System.Globalization;

namespace Muse.Autoscaler;

/// <summary>
/// As few workers as complete everything that waits and arrives within the target time. "Drain" is the queue's here, not a worker's.
/// </summary>
/// <remarks>
/// With a worker's measured rate μ, arrivals λ and a target T, n workers complete a first-come queue of L images in L / nμ,
/// and the queue does not grow while nμ ≥ λ. So n ≥ max(L / μT, λ / μ). L is the current backlog and the backlog at the time when
/// a worker started after the next measurement is ready. The latter assumes that arrivals go on as over the last two intervals
/// and that starting workers become ready on time. The policy aims a tolerance below T. It scales up for arrivals that exceed the
/// capacity by the tolerance, and down for arrivals that far below it.
/// </remarks>
public sealed class DrainPolicy(AutoscalerOptions options) : IScalingPolicy
{
    /// <summary>Its name in the settings.</summary>
    public const string PolicyName = "drain";

    /// <inheritdoc/>
    public string Name => PolicyName;

    /// <inheritdoc/>
    public ScalingAdvice Decide(FleetSnapshot snapshot, DateTimeOffset now)
    {
        var current = Math.Clamp(snapshot.Desired, options.MinWorkers, options.MaxWorkers);
        var stuck = snapshot.Workers.Count(worker => worker.Stuck);
        var (up, down, why) = Need(snapshot);
        // A worker that never became ready does no work: request a replacement for it.
        if (stuck > 0)
            why += Invariant($", and {stuck} that never became ready do no work");
        var target = up + stuck > current ? up + stuck : Math.Min(current, down + stuck);
        var wanted = Math.Clamp(target, options.MinWorkers, options.MaxWorkers);
        var bound = target > options.MaxWorkers ? Invariant($"; {target} are needed, but {options.MaxWorkers} is the maximum")
            : target < options.MinWorkers ? Invariant($"; {options.MinWorkers} is the minimum") : "";

        if (wanted > current)
            return new(wanted, wanted, $"{why}: up from {current} to {wanted}{bound}.");
        if (wanted == current)
            return new(current, wanted, $"{why}: still {current}{bound}.");
        var (held, hold) = HoldDown(snapshot, wanted, now);
        return held >= current
            ? new(current, wanted, $"{why}: {wanted} would do, but {hold}: still {current}{bound}.")
            : new(held, wanted, $"{why}: down from {current} to {held}{(held > wanted ? $", as {hold}" : "")}{bound}.");
    }

    /// <summary>The number of workers that is at least needed, and the number above which workers may be stopped.</summary>
    (int Up, int Down, string Why) Need(FleetSnapshot snapshot)
    {
        var backlog = snapshot.Backlog;
        var what = Invariant($"{snapshot.Queue.Waiting} waiting and {snapshot.Queue.Pending} in progress");
        if (backlog == 0 && snapshot.Arrivals is null or 0)
            return (0, 0, $"{what}, none arriving");
        if (snapshot.WorkerRate is not { } rate)
            return (1, Math.Max(1, snapshot.Desired), $"{what}, and no worker has measured its rate yet");

        var aim = options.TargetWait.TotalSeconds * (1 - options.Tolerance);
        var later = BacklogWhenReady(snapshot, rate);
        var forBacklog = later / (rate * aim);
        var forArrivals = (snapshot.Arrivals ?? 0) / rate;
        var up = Ceiling(Math.Max(forBacklog, forArrivals / (1 + options.Tolerance)));
        var down = Ceiling(Math.Max(forBacklog, forArrivals * (1 + options.Tolerance)));
        var growth = later > backlog ? Invariant($" ({later:0} by the time more could be ready)") : "";
        var arriving = snapshot.Arrivals is { } arrivals ? Invariant($"{arrivals:0.0} arriving") : "arrivals not known yet";
        return (Math.Max(1, up), Math.Max(1, down),
            what + growth + Invariant($", {arriving} a second, {rate:0.00} a second per worker, ")
                + Invariant($"{options.TargetWait.TotalSeconds:0.#} s allowed"));
    }

    /// <summary>
    /// The backlog when a worker requested after the next measurement is ready. Never less than now, since users may ask again once they
    /// have an answer.
    /// </summary>
    double BacklogWhenReady(FleetSnapshot snapshot, double rate)
    {
        if (snapshot.SteadyArrivals is not { } arrivals)
            return snapshot.Backlog;
        // The next chance to request a worker is one interval away, and it is ready a cold start later.
        var (coldStart, ahead) = (options.ColdStart.TotalSeconds, (options.ColdStart + options.Interval).TotalSeconds);
        var completed = rate * snapshot.Workers.Sum(worker => worker.State switch
        {
            WorkerState.Ready => ahead,
            WorkerState.Starting when !worker.Stuck => ahead - Math.Clamp(coldStart - worker.Age.TotalSeconds, 0, coldStart),
            _ => 0,
        });
        return snapshot.Backlog + Math.Max(0, arrivals * ahead - completed);
    }

    /// <summary>
    /// The lowest number that the stabilisation window, the images in progress and the reliability of the measurement allow.
    /// </summary>
    (int Workers, string Why) HoldDown(FleetSnapshot snapshot, int wanted, DateTimeOffset now)
    {
        if (snapshot.ScaleDownBlocker is { } blocker)
            return (int.MaxValue, blocker);
        var since = now - options.StabilisationWindow;
        // The last number from before the window was valid when it began. Without one, the need within the window is unknown.
        var before = snapshot.Recommended.Where(past => past.At <= since).Select(past => (int?)past.Workers).LastOrDefault();
        var most = snapshot.Recommended.Where(past => past.At > since).Select(past => past.Workers).Append(before ?? int.MaxValue).Max();
        var inFlight = Ceiling((double)snapshot.Queue.Pending / snapshot.Slots);
        if (most >= snapshot.Desired)
            return (most, Invariant($"it has to hold for {options.StabilisationWindow.TotalSeconds:0} s"));
        return most > inFlight
            ? (Math.Max(most, wanted), Invariant($"{most} were needed within {options.StabilisationWindow.TotalSeconds:0} s"))
            : (Math.Max(inFlight, wanted), Invariant($"the {snapshot.Queue.Pending} in progress need {inFlight} × {snapshot.Slots} slots"));
    }

    // Tolerates rounding errors just above a whole number.
    static int Ceiling(double workers) => (int)Math.Min(int.MaxValue / 2, Math.Ceiling(workers - 1e-9));

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
