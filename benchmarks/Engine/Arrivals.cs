using System.Collections.Concurrent;
using System.Diagnostics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>Latency and throughput of continuous against static batching, with random arrivals of short and long requests.</summary>
static class Arrivals
{
    const int MinSteps = 4, MaxSteps = 50;

    /// <summary>The latencies of all rounds of one mode, in seconds.</summary>
    sealed class Outcome
    {
        readonly List<double> latencies = [];
        double seconds;

        public void Add(IEnumerable<double> roundLatencies, double roundSeconds)
        {
            latencies.AddRange(roundLatencies);
            latencies.Sort();
            seconds += roundSeconds;
        }

        public int Count => latencies.Count;
        public double Mean => latencies.Average();
        public double PerSecond => latencies.Count / seconds;
        public double Quantile(double share) => latencies[(int)(share * (latencies.Count - 1))];
    }

    // The modes take turns, so that a machine whose speed varies is the same for both.
    public static async Task RunAsync(Report report, string name, Func<IDiffusionModel> open, double seconds, int rounds)
    {
        var capacity = await CapacityAsync(open, seconds);
        report.Heading($"Continuous against static batching: {name}");
        report.Line($"Poisson arrivals for {rounds} × {seconds} s, the same for both modes, {MinSteps} to {MaxSteps} steps.");
        report.Line($"Full load is {capacity:F2} images a second: continuous, with the same mix of steps, when requests always wait.");
        report.Line($"Latencies are in seconds, from arrival to image.\n");
        report.Columns("load", "requests", "continuous: mean", "p50", "p95", "static: mean", "p50", "p95",
            "p50 against static", "p95", "throughput");
        foreach (var load in (double[])[0.5, 0.8, 0.95])
        {
            Outcome continuous = new(), staticBatching = new();
            for (var round = 0; round < rounds; round++)
            {
                var arrivals = Draw((int)Math.Round(load * capacity * seconds), seconds, round);
                await ServeAsync(open, BatchingMode.Continuous, arrivals, continuous);
                await ServeAsync(open, BatchingMode.Static, arrivals, staticBatching);
            }
            report.Row(
                $"{100 * load:F0} %", $"{continuous.Count}",
                $"{continuous.Mean:F2}", $"{continuous.Quantile(0.5):F2}", $"{continuous.Quantile(0.95):F2}",
                $"{staticBatching.Mean:F2}", $"{staticBatching.Quantile(0.5):F2}", $"{staticBatching.Quantile(0.95):F2}",
                $"{continuous.Quantile(0.5) / staticBatching.Quantile(0.5):F2}",
                $"{continuous.Quantile(0.95) / staticBatching.Quantile(0.95):F2}",
                $"{continuous.PerSecond / staticBatching.PerSecond:F2}");
        }
    }

    /// <summary>The effect of a device that needs time for each change of the number of rows, with and without padded rows.</summary>
    public static async Task RunWithChangesAsync(Report report, string name, SimulationSpec spec, int[] stepsAChange, double seconds)
    {
        const double load = 0.8;
        var fullStep = spec.StepCost(2 * new EngineOptions().MaxBatchSize);
        report.Heading($"Where a change of the number of rows takes time: {name}");
        report.Line($"The first column is the time of a change, in steps of a full batch ({fullStep.TotalMilliseconds:F0} ms each).");
        report.Line($"*Exact*: the rows that the requests need. *Padded*: more rows, as the engine runs on CUDA, where changes are slow.");
        report.Line($"Full load is in images a second. The latencies are in seconds, from arrival to image, for the same Poisson arrivals");
        report.Line($"for {seconds} s at {100 * load:F0} % of the padded full load, {MinSteps} to {MaxSteps} steps.\n");
        report.Columns("steps a change", "full load: exact", "padded", "requests", "p50: exact", "padded", "static, padded",
            "padded against static", "throughput");
        foreach (var steps in stepsAChange)
        {
            var device = spec with { Change = steps * fullStep };
            Func<IDiffusionModel> padded = () => Models.Simulated(device);
            Func<IDiffusionModel> exact = () => Models.Simulated(device with { PadsRows = false });
            var capacity = await CapacityAsync(padded, seconds);
            var arrivals = Draw((int)Math.Round(load * capacity * seconds), seconds, 0);
            Outcome paddedOutcome = new(), exactOutcome = new(), staticBatching = new();
            await ServeAsync(padded, BatchingMode.Continuous, arrivals, paddedOutcome);
            await ServeAsync(exact, BatchingMode.Continuous, arrivals, exactOutcome);
            await ServeAsync(padded, BatchingMode.Static, arrivals, staticBatching);
            report.Row(
                $"{steps}", $"{await CapacityAsync(exact, seconds):F1}", $"{capacity:F1}", $"{arrivals.Count}",
                $"{exactOutcome.Quantile(0.5):F2}", $"{paddedOutcome.Quantile(0.5):F2}", $"{staticBatching.Quantile(0.5):F2}",
                $"{paddedOutcome.Quantile(0.5) / staticBatching.Quantile(0.5):F2}",
                $"{paddedOutcome.PerSecond / staticBatching.PerSecond:F2}");
        }
    }

    // Images a second while requests always wait. The images of the first and of the last batch are not counted.
    static async Task<double> CapacityAsync(Func<IDiffusionModel> open, double seconds)
    {
        await using var engine = await Models.StartAsync(open(), new EngineOptions { CheckpointEvery = 0 });
        var batch = new EngineOptions().MaxBatchSize;
        var steps = Steps(2 * batch);
        using var timeIsUp = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var feeding = Models.FeedAsync(engine, number => steps[number % steps.Length], int.MaxValue, timeIsUp.Token);
        var clock = Stopwatch.StartNew();
        var completed = new List<TimeSpan>();
        await foreach (var e in engine.Events.ReadAllAsync())
        {
            if (e is EngineEvent.Completed)
                completed.Add(clock.Elapsed);
            if (feeding.IsCompleted && completed.Count == await feeding)
                break;
        }
        int first = batch, last = completed.Count - batch;
        return (last - first) / (completed[last] - completed[first]).TotalSeconds;
    }

    // A Poisson process with a fixed number of arrivals: each arrives at a uniformly random time. So the load is exactly the stated one.
    static List<(TimeSpan At, int Steps)> Draw(int count, double seconds, int seed)
    {
        var random = new Random(seed);
        var at = Enumerable.Range(0, count).Select(_ => random.NextDouble() * seconds).Order();
        return [.. at.Zip(Steps(count, seed), (when, steps) => (TimeSpan.FromSeconds(when), steps))];
    }

    // Each number of steps equally often, in random order.
    static int[] Steps(int count, int seed = 0)
    {
        var steps = Enumerable.Range(0, count).Select(i => MinSteps + i * (MaxSteps - MinSteps + 1) / count).ToArray();
        new Random(seed + 27).Shuffle(steps);
        return steps;
    }

    static async Task ServeAsync(Func<IDiffusionModel> open, BatchingMode mode, List<(TimeSpan At, int Steps)> arrivals, Outcome outcome)
    {
        await using var engine = await Models.StartAsync(open(), new EngineOptions { Mode = mode, CheckpointEvery = 0 });
        var latencies = new ConcurrentBag<double>();
        var clock = Stopwatch.StartNew();
        var reading = Task.Run(async () =>
        {
            await foreach (var e in engine.Events.ReadAllAsync())
            {
                if (e is EngineEvent.Completed)
                    latencies.Add((clock.Elapsed - arrivals[int.Parse(e.RequestId)].At).TotalSeconds);
                if (latencies.Count == arrivals.Count)
                    break;
            }
        });
        for (var i = 0; i < arrivals.Count; i++)
        {
            if (arrivals[i].At - clock.Elapsed is { Ticks: > 0 } early)
                await Task.Delay(early);
            await engine.WaitForFreeSlotAsync(CancellationToken.None);
            engine.TrySubmit(Models.Request(engine.Model, i, arrivals[i].Steps));
        }
        await reading;
        outcome.Add(latencies, clock.Elapsed.TotalSeconds);
    }
}
