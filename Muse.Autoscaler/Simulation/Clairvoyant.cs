namespace Muse.Autoscaler;

/// <summary>The fewest worker-hours of somebody who knows the whole trace in advance, which a policy is measured against.</summary>
/// <remarks>
/// At every second it needs just the workers that keep the target: users / μT' for users who ask again at once (Little's law),
/// where T' is the target less two steps, and λ / μ, for the λ of the coming T, for requests that arrive whatever happens. It has each worker started a cold start before it is needed,
/// pays for that time too, drops it the second it is needless, and keeps it over a gap that is shorter than a cold start.
/// The least number of workers binds it as it binds everyone; batching's integers and chance it does not know.
/// </remarks>
public sealed class Clairvoyant
{
    readonly int[] running;

    Clairvoyant(int[] running, double seconds) => (this.running, WorkerHours) = (running, seconds / 3600);

    /// <summary>Its worker-hours.</summary>
    public double WorkerHours { get; }

    /// <summary>The workers that it has, starting included, at a second.</summary>
    public int At(double second) => running[Math.Clamp((int)second, 0, running.Length - 1)];

    /// <summary>Plans.</summary>
    public static Clairvoyant Plan(SimulationSettings settings)
    {
        var needed = Needed(settings);
        var cold = (int)Math.Ceiling(settings.ColdStart.TotalSeconds);
        var running = new int[needed.Length];
        double seconds = 0;
        for (var level = 1; level <= needed.Max(); level++)
        {
            var on = Array.ConvertAll(needed, workers => workers >= level);
            // A gap that is shorter than a cold start is not worth stopping for; and before each need lies a cold start.
            for (int second = on.Length - 1, next = int.MaxValue; second >= 0; second--)
            {
                if (on[second])
                    next = second;
                else if (next - second <= cold)
                    on[second] = true;
            }
            for (var second = 0; second < on.Length; second++)
            {
                if (on[second])
                    (running[second], seconds) = (running[second] + 1, seconds + 1);
            }
        }
        return new(running, seconds);
    }

    static int[] Needed(SimulationSettings settings)
    {
        var (trace, target, rate) = (settings.Trace, settings.Autoscaler.TargetWait.TotalSeconds, settings.Device.FullRate);
        // Pictures are finished at the end of a step, and a request joins at the next one.
        target -= 2 * settings.Device.Step(settings.Device.Slots);
        var needed = new int[(int)trace.Length];
        for (var second = 0; second < needed.Length; second++)
        {
            var workers = trace.Closed
                ? trace.Level(second) / (rate * target)
                : Enumerable.Range(second, Math.Max(1, (int)target)).Average(ahead => trace.Level(Math.Min(ahead, trace.Length - 1))) / rate;
            needed[second] = Math.Clamp((int)Math.Ceiling(workers - 1e-9), settings.Autoscaler.MinWorkers, settings.Autoscaler.MaxWorkers);
        }
        return needed;
    }
}
