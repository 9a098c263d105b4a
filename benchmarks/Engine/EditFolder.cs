using System.Globalization;
using System.Text.Json;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>
/// Makes the edits and images of a folder with the engine, for the judge in models/scenes/training. The folder has the requests in
/// cases.json and the images and masks as plain bytes; a request without an image is for one from its prompt alone.
/// </summary>
static class EditFolder
{
    /// <summary>One edit or image.</summary>
    /// <param name="Name">
    /// Its files: <c>name.rgb</c> and <c>name.mask</c> where there are any, and <c>name.out.rgb</c> for the result.
    /// </param>
    /// <param name="Prompt">What the result is to show.</param>
    /// <param name="Seed">Its seed.</param>
    sealed record Case(string Name, string Prompt, long Seed);

    static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    /// <param name="args">The folder, the model's folder, a strength, steps and a sampler; the model's own where they are left out or
    /// -.</param>
    public static async Task RunAsync(string[] args)
    {
        var folder = args[0];
        var cases = JsonSerializer.Deserialize<Case[]>(await File.ReadAllTextAsync(Path.Combine(folder, "cases.json")), Web)!;
        var model = Models.Open(args.Length > 1 ? args[1] : Path.Combine("models", "scenes"), "auto");
        await using var engine = await Models.StartAsync(model, new EngineOptions { CheckpointEvery = 0 });
        var traits = engine.Model;
        double? strength = args.Length > 2 && args[2] != "-" ? double.Parse(args[2], CultureInfo.InvariantCulture) : null;
        var steps = args.Length > 3 ? int.Parse(args[3], CultureInfo.InvariantCulture) : traits.DefaultSteps;
        var sampler = args.Length > 4 ? args[4] : null;
        var reading = WriteAsync(engine, folder, cases.Length);
        foreach (var edit in cases)
        {
            await engine.WaitForFreeSlotAsync(CancellationToken.None);
            engine.TrySubmit(Request(folder, edit, traits, strength, steps) with { Sampler = sampler });
        }
        await reading;
    }

    static GenerationRequest Request(string folder, Case edit, ModelTraits traits, double? strength, int steps)
    {
        var (image, mask) = (Path.Combine(folder, edit.Name + ".rgb"), Path.Combine(folder, edit.Name + ".mask"));
        var masked = File.Exists(mask);
        var request = new GenerationRequest
        {
            Id = edit.Name,
            Prompt = edit.Prompt,
            Width = traits.DefaultWidth,
            Height = traits.DefaultHeight,
            Steps = steps,
            GuidanceScale = traits.DefaultGuidanceScale,
            Seed = edit.Seed,
            Input = !File.Exists(image) ? null : new ImageInput
            {
                Image = new RgbImage(traits.DefaultWidth, traits.DefaultHeight, File.ReadAllBytes(image)),
                Mask = masked ? File.ReadAllBytes(mask) : null,
                Strength = strength ?? (masked ? traits.DefaultMaskedStrength : traits.DefaultStrength),
            },
        };
        return traits.Check(request) is { } problem ? throw new ArgumentException($"{edit.Name}: {problem.Message}") : request;
    }

    static async Task WriteAsync(DiffusionEngine engine, string folder, int count)
    {
        for (var done = 0; done < count;)
        {
            switch (await engine.Events.ReadAsync())
            {
                case EngineEvent.Completed completed:
                    await File.WriteAllBytesAsync(Path.Combine(folder, completed.RequestId + ".out.rgb"), completed.Image.Pixels);
                    done++;
                    break;
                case EngineEvent.Failed failed:
                    throw new InvalidOperationException($"{failed.RequestId}: {failed.Message}");
            }
        }
    }
}
