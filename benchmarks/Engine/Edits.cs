using System.Diagnostics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>The throughput with requests that start from an image, and the time to encode an image.</summary>
static class Edits
{
    const int Steps = 20, Encodings = 50, Batches = 5;

    sealed record Mix(string Name, double Strength, bool Masked)
    {
        public double Images { get; set; }
        public TimeSpan Took { get; set; }
        public double PerSecond => Images / Took.TotalSeconds;
    }

    public static async Task RunAsync(Report report, string name, Func<IDiffusionModel> open, int rounds)
    {
        report.Heading($"Edits among text-to-image: {name}, {Steps} steps");
        report.Line($"Requests always wait; {rounds} × {Batches} batches a mix, in turns; every second request starts from an image.");
        report.Line($"An edit of strength 0.6 runs 12 of the 20 steps.\n");
        report.Columns("mix", "images/s", "against text alone");
        Mix[] mixes =
        [
            new("text to image alone", 0, false), new("half edits, strength 0.6", 0.6, false),
            new("half edits with a mask, strength 0.6", 0.6, true), new("half edits, strength 1", 1, false),
        ];
        for (var round = 0; round < rounds; round++)
        {
            foreach (var mix in mixes)
                await RunAsync(open, mix);
        }
        foreach (var mix in mixes)
            report.Row($"{mix.Name}", $"{mix.PerSecond:F2}", $"{mix.PerSecond / mixes[0].PerSecond:F2}");
        using var model = open();
        var (first, others) = Encode(model);
        report.Line($"\nEncoding an image takes {others:F1} ms (median of {Encodings}).");
        report.Line($"The first one of a process takes {first:F0} ms, because it opens the encoder.");
    }

    // The images of the first and of the last batch are not counted.
    static async Task RunAsync(Func<IDiffusionModel> open, Mix mix)
    {
        await using var engine = await Models.StartAsync(open(), new EngineOptions { CheckpointEvery = 0 });
        var batch = new EngineOptions().MaxBatchSize;
        var input = Input(engine.Model, mix);
        var count = Batches * batch;
        var feeding = Models.FeedAsync(engine, _ => Steps, count, CancellationToken.None, number => number % 2 == 0 ? null : input);
        var clock = Stopwatch.StartNew();
        var completed = new List<TimeSpan>();
        while (completed.Count < count)
        {
            if (await engine.Events.ReadAsync() is EngineEvent.Completed)
                completed.Add(clock.Elapsed);
        }
        await feeding;
        int first = batch, last = count - batch;
        mix.Images += last - first;
        mix.Took += completed[last] - completed[first];
    }

    static ImageInput? Input(ModelTraits traits, Mix mix)
    {
        if (mix.Strength == 0)
            return null;
        var (width, height) = (traits.DefaultWidth, traits.DefaultHeight);
        var mask = new byte[width * height];
        for (var y = height / 4; y < height / 2; y++)
            mask.AsSpan(y * width + width / 4, width / 2).Fill(255);
        return new ImageInput { Image = Image(width, height), Mask = mix.Masked ? mask : null, Strength = mix.Strength };
    }

    static RgbImage Image(int width, int height) =>
        new(width, height, [.. Enumerable.Range(0, 3 * width * height).Select(i => (byte)(i / 3 % width + i % 3 * 40))]);

    static (double First, double Median) Encode(IDiffusionModel model)
    {
        var (width, height) = (model.Traits.DefaultWidth, model.Traits.DefaultHeight);
        var took = new List<double>();
        for (var i = 0; i <= Encodings; i++)
        {
            var started = Stopwatch.GetTimestamp();
            model.EncodeImage(model.GetLatentShape(width, height), Image(width, height), [], new SeededNoise(i));
            took.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        return (took[0], took.Skip(1).Order().ElementAt(Encodings / 2));
    }
}
