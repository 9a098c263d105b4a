using System.Diagnostics;
using System.Diagnostics.Metrics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>The time of an engine's step above the denoiser's call.</summary>
static class Overhead
{
    const int Steps = 30;

    /// <summary>Measures the denoiser's calls of a model.</summary>
    sealed class TimedModel(IDiffusionModel model) : IDiffusionModel
    {
        public TimeSpan InCalls { get; set; }
        public ModelTraits Traits => model.Traits;
        public bool TimestepPerRow => model.TimestepPerRow;
        public bool GuidanceEmbedded => model.GuidanceEmbedded;
        public int DecodeBatch => model.DecodeBatch;
        public bool PreparesByShape => model.PreparesByShape;
        public int StepsPerTurn => model.StepsPerTurn;
        public Sampler CreateSampler(string? name) => model.CreateSampler(name);
        public LatentShape GetLatentShape(int width, int height) => model.GetLatentShape(width, height);
        public Conditioning Encode(string? prompt, ConditioningShape? minimumShape = null) => model.Encode(prompt, minimumShape);
        public float[] EncodeImage(LatentShape latent, RgbImage image, ReadOnlySpan<byte> mask, INoiseSource noise) =>
            model.EncodeImage(latent, image, mask, noise);
        public bool IsFlagged(RgbImage image) => model.IsFlagged(image);
        public void Pack(LatentShape latent, Span<float> values) => model.Pack(latent, values);
        public DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows) =>
            new Rows(this, model.PrepareBatch(latent, conditioning, rows));
        public RgbImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents) => model.Decode(latent, latents);
        public RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values) => model.Preview(latent, values);
        public void Dispose() => model.Dispose();

        sealed class Rows(TimedModel timed, DenoiserBatch batch) : DenoiserBatch
        {
            public override int RowsRun => batch.RowsRun;
            public override Span<float> Input(int row) => batch.Input(row);
            public override void SetCondition(int row, in RowCondition condition) => batch.SetCondition(row, condition);
            public override ReadOnlySpan<float> Output(int row) => batch.Output(row);

            public override void Run()
            {
                var started = Stopwatch.GetTimestamp();
                batch.Run();
                timed.InCalls += Stopwatch.GetElapsedTime(started);
            }
        }
    }

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
        listener.Start();
        await using var engine = await Models.StartAsync(timed, new EngineOptions { Mode = BatchingMode.Static, MaxBatchSize = requests });
        timed.InCalls = default;
        for (var i = 0; i < requests; i++)
            engine.TrySubmit(Models.Request(engine.Model, i, Steps));
        for (var done = 0; done < requests;)
        {
            if (await engine.Events.ReadAsync() is EngineEvent.Completed)
                done++;
        }

        var inCalls = timed.InCalls.TotalSeconds;
        report.Row(
            $"{requests}", $"{(double)rows / count:F1}",
            $"{1000 * steps / count:F2}", $"{1000 * inCalls / count:F2}", $"{100 * (steps / inCalls - 1):F2} %");
    }
}
