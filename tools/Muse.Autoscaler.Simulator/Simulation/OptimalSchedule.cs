namespace Muse.Autoscaler.Simulator;

/// <summary>
/// The offline optimum: the schedule with the fewest worker-hours when the whole trace is known in advance. Policies are compared with it.
/// </summary>
/// <remarks>
/// Closed traces, where users ask again at once, need users / μT' workers (Little's law), where T' is the target less two steps.
/// Open traces need λ / μ workers, with λ averaged over the coming target time.
/// Each worker starts one cold start before it is needed, and that time counts. It stops in the second in which it is no longer needed,
/// unless the gap is shorter than a cold start. The configured minimum and maximum apply.
/// The plan ignores randomness and that batches hold whole images.
/// </remarks>
public sealed class OptimalSchedule
{
    readonly int[] running;

    OptimalSchedule(int[] running, double seconds) => (this.running, WorkerHours) = (running, seconds / 3600);

    /// <summary>Time that its workers exist, starting included, hours.</summary>
    public double WorkerHours { get; }

    /// <summary>Workers at a second, starting ones included.</summary>
    public int At(double second) => running[Math.Clamp((int)second, 0, running.Length - 1)];

    /// <summary>Computes the schedule for a simulation's trace, device and limits.</summary>
    public static OptimalSchedule Plan(SimulationSettings settings)
    {
        var needed = Needed(settings);
        var cold = (int)Math.Ceiling(settings.ColdStart.TotalSeconds);
        var running = new int[needed.Length];
        double seconds = 0;
        for (var level = 1; level <= needed.Max(); level++)
        {
            var on = Array.ConvertAll(needed, workers => workers >= level);
            // A worker starts one cold start before it is needed, and keeps running over a gap that is shorter than a cold start.
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
        // A request joins at the next step, and an image is finished at the end of one: up to two steps pass unused.
        target -= 2 * settings.Device.Step(settings.Device.Slots);
        var needed = new int[(int)trace.Length];
        for (var second = 0; second < needed.Length; second++)
        {
            var workers = trace.Closed
                ? trace.Level(second) / (rate * target)
                : Enumerable.Range(second, Math.Max(1, (int)target))
                    .Average(ahead => trace.Level(Math.Min(ahead, trace.Length - 1))) / rate;
            needed[second] = Math.Clamp((int)Math.Ceiling(workers - 1e-9), settings.Autoscaler.MinWorkers, settings.Autoscaler.MaxWorkers);
        }
        return needed;
    }
}
