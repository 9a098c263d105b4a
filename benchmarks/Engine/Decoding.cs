using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>How much longer a step takes while the decoder works.</summary>
static class Decoding
{
    const int Requests = 12;

    public static async Task RunAsync(Report report, string name, Func<IDiffusionModel> open, double seconds)
    {
        report.Heading($"Steps while the decoder works: {name}");
        report.Line($"{Requests} requests of 4 to 12 steps without guidance, the next when one has ended.");
        report.Line($"Milliseconds of the denoiser's calls, divided by their rows: one row is missing where an image is being decoded.\n");
        report.Columns("images decoded in a call", "images/s", "steps", "idle decoder: p50", "p95", "busy decoder: share of steps",
            "p50", "p95", "p95 against idle");
        foreach (var together in (int[])[Requests, 4, 1])
            await RunAsync(report, open, together, seconds);
    }

    static async Task RunAsync(Report report, Func<IDiffusionModel> open, int together, double seconds)
    {
        var timed = new TimedModel(open(), together);
        await using var engine =
            await Models.StartAsync(timed, new EngineOptions { MaxBatchSize = Requests, CheckpointEvery = 0 });
        using var timeIsUp = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        timed.Clear();
        var feeding = FeedAsync(engine, timeIsUp.Token);
        var done = 0;
        while (!feeding.IsCompleted || done < await feeding)
        {
            if (await engine.Events.ReadAsync() is EngineEvent.Completed)
                done++;
        }
        var calls = timed.Calls.Where(call => call.Rows > Requests / 2).ToLookup(call => call.Decoding);
        var (idle, busy) = (MillisecondsARow(calls[false]), MillisecondsARow(calls[true]));
        report.Row($"{together}", $"{done / seconds:F1}", $"{timed.Calls.Count}",
            $"{Percentile(idle, 0.5):F2}", $"{Percentile(idle, 0.95):F2}", $"{100.0 * busy.Length / (idle.Length + busy.Length):F0} %",
            $"{Percentile(busy, 0.5):F2}", $"{Percentile(busy, 0.95):F2}", $"{Percentile(busy, 0.95) / Percentile(idle, 0.95):F2}");
    }

    static async Task<int> FeedAsync(DiffusionEngine engine, CancellationToken until)
    {
        for (var number = 0; ; number++)
        {
            await engine.WaitForFreeSlotAsync(CancellationToken.None);
            if (until.IsCancellationRequested)
                return number;
            engine.TrySubmit(Models.Request(engine.Model, number, steps: 4 + number * 5 % 9) with { GuidanceScale = 1 });
        }
    }

    static double[] MillisecondsARow(IEnumerable<TimedCall> calls) =>
        [.. calls.Select(call => call.Duration.TotalMilliseconds / call.Rows).Order()];

    static double Percentile(double[] sorted, double share) =>
        sorted.Length == 0 ? double.NaN : sorted[(int)(share * (sorted.Length - 1))];
}
