using System.Diagnostics.Metrics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>The time of an engine's step above the denoiser's call.</summary>
static class Overhead
{
    const int Steps = 100;

    public static async Task RunAsync(Report report, string folder, string device)
    {
        report.Heading($"Overhead of an engine step above its ONNX Runtime call: {folder}");
        report.Columns("requests", "rows", "ms a step", "ms in the call", "overhead");
        foreach (var requests in (int[])[1, 4, 12])
            await RunAsync(report, folder, device, requests);
    }

    static async Task RunAsync(Report report, string folder, string device, int requests)
    {
        var timed = new TimedModel(Models.Open(folder, device));
        double steps = 0;
        var count = 0;
        long rows = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == EngineTelemetry.Name && instrument.Name is "muse.step.duration" or "muse.batch.rows")
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((_, seconds, _, _) => (steps, count) = (steps + seconds, count + 1));
        listener.SetMeasurementEventCallback<int>((_, taken, _, _) => rows += taken);
        await using var engine = await Models.StartAsync(timed, new EngineOptions { Mode = BatchingMode.Static, MaxBatchSize = requests });
        // The first round compiles.
        await GenerateAsync(engine, requests);
        timed.Clear();
        listener.Start();
        await GenerateAsync(engine, requests);

        var inCalls = timed.Calls.Sum(call => call.Duration.TotalSeconds);
        report.Row(
            $"{requests}", $"{(double)rows / count:F1}",
            $"{1000 * steps / count:F2}", $"{1000 * inCalls / count:F2}", $"{100 * (steps / inCalls - 1):F2} %");
    }

    static async Task GenerateAsync(DiffusionEngine engine, int requests)
    {
        var feeding = Models.FeedAsync(engine, _ => Steps, requests, CancellationToken.None);
        for (var done = 0; done < requests;)
        {
            if (await engine.Events.ReadAsync() is EngineEvent.Completed)
                done++;
        }
        await feeding;
    }
}
