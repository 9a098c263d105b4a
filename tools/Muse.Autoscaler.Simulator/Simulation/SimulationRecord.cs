namespace Muse.Autoscaler.Simulator;

/// <summary>What happened in a simulation, and its figures.</summary>
public sealed class SimulationRecord(SimulationSettings settings)
{
    readonly List<(double Arrived, double Wait)> waits = [];
    readonly List<(double At, int From, int To)> scalings = [];
    readonly List<PlotPoint> points = [];
    double workerSeconds;

    /// <summary>The simulation's settings.</summary>
    public SimulationSettings Settings => settings;
    /// <summary>Every decision, oldest first.</summary>
    public List<ScalingDecision> Decisions { get; } = [];
    /// <summary>The state once per second.</summary>
    public IReadOnlyList<PlotPoint> Points => points;
    /// <summary>Requests answered.</summary>
    public int Answered => waits.Count;
    /// <summary>Time that workers existed, starting included, hours.</summary>
    public double WorkerHours => workerSeconds / 3600;
    /// <summary>Changes of the wanted number.</summary>
    public int Scalings => scalings.Count;

    internal void Finished(double arrived, double now) => waits.Add((arrived, now - arrived));
    internal void Scaled(double at, int from, int to) => scalings.Add((at, from, to));
    internal void Stopped(SimulatedWorker worker, double now) => workerSeconds += now - worker.StartedAt;
    internal void Sample(double second, double level, long inSystem, int wanted, int ready) =>
        points.Add(new(second, level, inSystem, wanted, ready));

    /// <summary>When all workers of the first scale-up were ready, seconds; null if nothing was scaled up.</summary>
    public double? FirstScaleUpComplete => scalings.FirstOrDefault(scaling => scaling.To > scaling.From) is { To: > 0 } first
        ? points.FirstOrDefault(point => point.Second >= first.At && point.Ready >= first.To)?.Second : null;

    /// <summary>A percentile of the time from request to image, seconds.</summary>
    /// <param name="share">0 to 1, e.g. 0.95.</param>
    public double Percentile(double share)
    {
        if (waits.Count == 0)
            return 0;
        var sorted = waits.Select(wait => wait.Wait).Order().ToList();
        return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
    }

    /// <summary>
    /// The share of requests whose image came within the target, of those that arrived from <paramref name="since"/> (seconds) on.
    /// </summary>
    /// <remarks>Requests that still wait at the end are not counted.</remarks>
    public double WithinTarget(double since = 0)
    {
        var counted = waits.Where(wait => wait.Arrived >= since).ToList();
        var target = settings.Autoscaler.TargetWait.TotalSeconds;
        return counted.Count == 0 ? 1 : (double)counted.Count(wait => wait.Wait <= target) / counted.Count;
    }

    /// <summary>The most changes of direction (up after down, down after up) within any stabilisation window.</summary>
    public int ReversalsInAWindow()
    {
        var window = settings.Autoscaler.StabilisationWindow.TotalSeconds;
        var reversals = scalings.Zip(scalings.Skip(1))
            .Where(pair => pair.First.To > pair.First.From != pair.Second.To > pair.Second.From)
            .Select(pair => pair.Second.At).ToList();
        return reversals.Select(at => reversals.Count(other => other >= at && other - at < window)).DefaultIfEmpty(0).Max();
    }
}

/// <summary>One point of the plot.</summary>
/// <param name="Second">Time since the start, seconds.</param>
/// <param name="Level">The load: users, or requests per second.</param>
/// <param name="Queue">Images waiting and in progress.</param>
/// <param name="Wanted">Workers wanted.</param>
/// <param name="Ready">Workers ready; negative where unknown.</param>
public sealed record PlotPoint(double Second, double Level, long Queue, int Wanted, int Ready);
