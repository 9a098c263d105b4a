using System.Collections.Concurrent;
using System.Diagnostics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>Latency and throughput of continuous against static batching when requests arrive as they do: at random, some short and some long.</summary>
static class Arrivals
{
    const int FewestSteps = 4, MostSteps = 50;

    sealed record Outcome(double Mean, double P50, double P95, double PerSecond);

    public static async Task RunAsync(Report report, string name, Func<IDiffusionModel> open, double seconds)
    {
        double capacity = await CapacityAsync(open);
        report.Heading($"Continuous against static batching: {name}");
        report.Line($"Poisson arrivals for {seconds} s, {FewestSteps} to {MostSteps} steps; full load is {capacity:F2} pictures a second. Seconds from arrival to picture.\n");
        report.Columns("load", "continuous: mean", "p50", "p95", "static: mean", "p50", "p95", "p50 against static", "p95", "throughput");
        foreach (double load in (double[])[0.5, 0.8, 0.95])
        {
            var arrivals = Draw(load * capacity, seconds);
            var continuous = await ServeAsync(open, BatchingMode.Continuous, arrivals);
            var together = await ServeAsync(open, BatchingMode.Static, arrivals);
            report.Row($"{100 * load:F0} %", $"{continuous.Mean:F2}", $"{continuous.P50:F2}", $"{continuous.P95:F2}", $"{together.Mean:F2}", $"{together.P50:F2}", $"{together.P95:F2}",
                $"{continuous.P50 / together.P50:F2}", $"{continuous.P95 / together.P95:F2}", $"{continuous.PerSecond / together.PerSecond:F2}");
        }
    }

    // Pictures a second of a batch that is never empty, with the same mix of steps.
    static async Task<double> CapacityAsync(Func<IDiffusionModel> open)
    {
        await using var engine = await Models.StartAsync(open(), new EngineOptions { CheckpointEvery = 0 });
        int batch = new EngineOptions().MaxBatchSize, taken = 0, steps = 0;
        const int mean = (FewestSteps + MostSteps) / 2;
        for (; taken < batch; taken++)
            engine.TrySubmit(Models.Request(engine.Model, taken, mean));
        var clock = new Stopwatch();
        await foreach (var e in engine.Events.ReadAllAsync())
        {
            if (e is EngineEvent.Joined { Place: 11 } && !clock.IsRunning)
                clock.Start();
            if (e is EngineEvent.Stepped && clock.IsRunning)
                steps++;
            if (e is EngineEvent.Completed)
                break;
        }
        return steps / clock.Elapsed.TotalSeconds / mean;
    }

    static List<(TimeSpan At, int Steps)> Draw(double perSecond, double seconds)
    {
        var random = new Random(12);
        var arrivals = new List<(TimeSpan, int)>();
        double at = 0;
        while ((at += -Math.Log(1 - random.NextDouble()) / perSecond) < seconds)
            arrivals.Add((TimeSpan.FromSeconds(at), random.Next(FewestSteps, MostSteps + 1)));
        return arrivals;
    }

    static async Task<Outcome> ServeAsync(Func<IDiffusionModel> open, BatchingMode mode, List<(TimeSpan At, int Steps)> arrivals)
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
        for (int i = 0; i < arrivals.Count; i++)
        {
            if (arrivals[i].At - clock.Elapsed is { Ticks: > 0 } early)
                await Task.Delay(early);
            await engine.WaitForRoomAsync(CancellationToken.None);
            engine.TrySubmit(Models.Request(engine.Model, i, arrivals[i].Steps));
        }
        await reading;
        double seconds = clock.Elapsed.TotalSeconds;
        var sorted = latencies.Order().ToList();
        return new Outcome(sorted.Average(), sorted[sorted.Count / 2], sorted[(int)(0.95 * (sorted.Count - 1))], sorted.Count / seconds);
    }
}
