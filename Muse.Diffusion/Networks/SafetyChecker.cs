using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>Stable Diffusion's safety checker: classifies an image from CLIP's view of it.</summary>
sealed class SafetyChecker : IDisposable
{
    const string Clip = "clip_input", Images = "images", Flags = "has_nsfw_concepts";

    readonly Graph graph;
    readonly GraphPort clip;
    readonly GraphPort? images;
    readonly int size;
    readonly float[] mean, deviation;
    readonly RunOptions run = new();

    public SafetyChecker(Graph graph, ModelFolder folder)
    {
        this.graph = graph;
        graph.AllowInputs(Clip, Images);
        clip = graph.RequiredInput(Clip);
        images = graph.Input(Images);
        graph.Check(clip, "input", [4], TensorElementType.Float, TensorElementType.Float16);
        if (images is not null)
            graph.Check(images, "input", [4], TensorElementType.Float, TensorElementType.Float16);
        if (!graph.Outputs.Any(o => o.Name == Flags && o.Type == TensorElementType.Bool))
            throw graph.Refused($"has no output '{Flags}' of truth values; it has {Graph.Names(graph.Outputs)}.");
        var preprocessor = folder.Json("feature_extractor/preprocessor_config.json");
        size = clip.Dimensions[2] ?? 224;
        // CLIP's own, where the folder does not say.
        mean = preprocessor.Numbers("image_mean", -1000, 1000, count: 3) ?? [0.48145466f, 0.4578275f, 0.40821073f];
        deviation = preprocessor.Numbers("image_std", 1e-6, 1000, count: 3) ?? [0.26862954f, 0.26130258f, 0.27577711f];
    }

    /// <summary>Whether it flags the image.</summary>
    public bool IsFlagged(RgbImage image)
    {
        var (names, values) = images is null
            ? (new[] { Clip }, new[] { ClipInput(image) })
            : ([Clip, Images], [ClipInput(image), WholeImage(image)]);
        try
        {
            using var results = graph.Session.Run(run, names, values, [Flags]);
            return results[0].GetTensorDataAsSpan<bool>()[0];
        }
        finally
        {
            foreach (var value in values)
                value.Dispose();
        }
    }

    public void Dispose() => run.Dispose();

    // As CLIP's preprocessor: the shorter side scaled to the size, the middle square of that, each colour in CLIP's units.
    OrtValue ClipInput(RgbImage image)
    {
        var shorter = Math.Min(image.Width, image.Height);
        var scaled = BicubicResize.Resize(image, size * image.Width / shorter, size * image.Height / shorter);
        int left = (scaled.Width - size) / 2, top = (scaled.Height - size) / 2;
        var values = new float[3 * size * size];
        for (var y = 0; y < size; y++)
        {
            for (var x = 0; x < size; x++)
            {
                var pixel = 3 * ((top + y) * scaled.Width + left + x);
                for (var c = 0; c < 3; c++)
                    values[(c * size + y) * size + x] = (scaled.Pixels[pixel + c] / 255f - mean[c]) / deviation[c];
            }
        }
        return TensorConversions.ToTensor(clip.Type, values, 1, 3, size, size);
    }

    OrtValue WholeImage(RgbImage image) =>
        TensorConversions.ToTensor(images!.Type, Array.ConvertAll(image.Pixels, p => p / 255f), 1, image.Height, image.Width, 3);
}
