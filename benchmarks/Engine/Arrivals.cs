using System.Collections.Concurrent;
using System.Diagnostics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>Latency and throughput of continuous against static batching when requests arrive as they do: at random, some short and some long.</summary>
static class Arrivals
{
    const int FewestSteps = 4, MostSteps = 50;

    /// <summary>All rounds of one mode.</summary>
    sealed class Outcome
    {
        readonly List<double> latencies = [];
        double seconds;

        public void Add(IEnumerable<double> ofRound, double took)
        {
            latencies.AddRange(ofRound);
            latencies.Sort();
            seconds += took;
        }

        public int Count => latencies.Count;
        public double Mean => latencies.Average();
        public double PerSecond => latencies.Count / seconds;
        public double Quantile(double share) => latencies[(int)(share * (latencies.Count - 1))];
    }

    // The modes take turns, so that a machine whose speed wanders is the same for both.
    public static async Task RunAsync(Report report, string name, Func<IDiffusionModel> open, double seconds, int rounds)
    {
        var capacity = await CapacityAsync(open, seconds);
        report.Heading($"Continuous against static batching: {name}");
        report.Line($"Poisson arrivals for {rounds} times {seconds} s, each time for both modes, {FewestSteps} to {MostSteps} steps; full load is {capacity:F2} pictures a second, measured with the same mix of steps and the continuous batch never short of requests. Seconds from arrival to picture.\n");
        report.Columns("load", "requests", "continuous: mean", "p50", "p95", "static: mean", "p50", "p95", "p50 against static", "p95", "throughput");
        foreach (var load in (double[])[0.5, 0.8, 0.95])
        {
            Outcome continuous = new(), together = new();
            for (var round = 0; round < rounds; round++)
            {
                var arrivals = Draw((int)Math.Round(load * capacity * seconds), seconds, round);
                await ServeAsync(open, BatchingMode.Continuous, arrivals, continuous);
                await ServeAsync(open, BatchingMode.Static, arrivals, together);
            }
            report.Row($"{100 * load:F0} %", $"{continuous.Count}", $"{continuous.Mean:F2}", $"{continuous.Quantile(0.5):F2}", $"{continuous.Quantile(0.95):F2}", $"{together.Mean:F2}", $"{together.Quantile(0.5):F2}", $"{together.Quantile(0.95):F2}",
                $"{continuous.Quantile(0.5) / together.Quantile(0.5):F2}", $"{continuous.Quantile(0.95) / together.Quantile(0.95):F2}", $"{continuous.PerSecond / together.PerSecond:F2}");
        }
    }

    /// <summary>What a change of the number of rows may cost on a device before step-level batching is worth less, with and without rows that nobody needs.</summary>
    public static async Task RunWithChangesAsync(Report report, string name, SimulationSpec spec, int[] stepsAChange, double seconds)
    {
        const double load = 0.8;
        var fullStep = spec.StepCost(2 * new EngineOptions().MaxBatchSize);
        report.Heading($"Where a change of the number of rows takes time: {name}");
        report.Line($"A change takes as long as so many steps of a full batch ({fullStep.TotalMilliseconds:F0} ms). *Exact*: no more rows than are needed; *padded*: as the engine does on CUDA, where this is so. Full load is in pictures a second; the same Poisson arrivals for {seconds} s at {100 * load:F0} % of what padded can, {FewestSteps} to {MostSteps} steps; seconds from arrival to picture.\n");
        report.Columns("steps a change", "full load: exact", "padded", "requests", "p50: exact", "padded", "static, padded", "padded against static", "throughput");
        foreach (var steps in stepsAChange)
        {
            var device = spec with { Change = steps * fullStep };
            Func<IDiffusionModel> padded = () => Models.Simulated(device), exact = () => Models.Simulated(device with { PadsRows = false });
            var capacity = await CapacityAsync(padded, seconds);
            var arrivals = Draw((int)Math.Round(load * capacity * seconds), seconds, 0);
            Outcome ofPadded = new(), ofExact = new(), together = new();
            await ServeAsync(padded, BatchingMode.Continuous, arrivals, ofPadded);
            await ServeAsync(exact, BatchingMode.Continuous, arrivals, ofExact);
            await ServeAsync(padded, BatchingMode.Static, arrivals, together);
            report.Row($"{steps}", $"{await CapacityAsync(exact, seconds):F1}", $"{capacity:F1}", $"{arrivals.Count}", $"{ofExact.Quantile(0.5):F2}", $"{ofPadded.Quantile(0.5):F2}", $"{together.Quantile(0.5):F2}",
                $"{ofPadded.Quantile(0.5) / together.Quantile(0.5):F2}", $"{ofPadded.PerSecond / together.PerSecond:F2}");
        }
    }

    // Pictures a second while more requests always wait: the first batch's worth of pictures and the last are not counted.
    static async Task<double> CapacityAsync(Func<IDiffusionModel> open, double seconds)
    {
        await using var engine = await Models.StartAsync(open(), new EngineOptions { CheckpointEvery = 0 });
        var batch = new EngineOptions().MaxBatchSize;
        var deck = Steps(2 * batch);
        using var timeIsUp = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var feeding = Models.FeedAsync(engine, number => deck[number % deck.Length], int.MaxValue, timeIsUp.Token);
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

    // A Poisson process of which one knows how many arrive: each arrives at any time. So the load is the one that is stated.
    static List<(TimeSpan At, int Steps)> Draw(int count, double seconds, int seed)
    {
        var random = new Random(seed);
        var at = Enumerable.Range(0, count).Select(_ => random.NextDouble() * seconds).Order();
        return [.. at.Zip(Steps(count, seed), (when, steps) => (TimeSpan.FromSeconds(when), steps))];
    }

    // All numbers of steps equally often, in random order.
    static int[] Steps(int count, int seed = 0)
    {
        var steps = Enumerable.Range(0, count).Select(i => FewestSteps + i * (MostSteps - FewestSteps + 1) / count).ToArray();
        new Random(seed + 27).Shuffle(steps);
        return steps;
    }

    static async Task ServeAsync(Func<IDiffusionModel> open, BatchingMode mode, List<(TimeSpan At, int Steps)> arrivals, Outcome into)
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
            await engine.WaitForRoomAsync(CancellationToken.None);
            engine.TrySubmit(Models.Request(engine.Model, i, arrivals[i].Steps));
        }
        await reading;
        into.Add(latencies, clock.Elapsed.TotalSeconds);
    }
}
