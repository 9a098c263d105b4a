using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>The decoder of a model's autoencoder: latents to pictures.</summary>
sealed class ImageDecoder : IDisposable
{
    readonly Graph graph;
    readonly GraphPort input;
    readonly string output;
    readonly float scale, shift;
    readonly int pixelsPerCell;
    readonly RunOptions run = new();

    public ImageDecoder(Graph graph, ModelManifest manifest)
    {
        this.graph = graph;
        (scale, shift, pixelsPerCell) = (manifest.LatentScale, manifest.LatentShift, manifest.PixelsPerCell);
        graph.AllowInputs("latent_sample");
        input = graph.RequiredInput("latent_sample");
        graph.Check(input, "input", [4], TensorElementType.Float, TensorElementType.Float16);
        var sample = graph.Outputs.FirstOrDefault(o => o.Name == "sample") ?? graph.Outputs[0];
        graph.Check(sample, "output", [4], TensorElementType.Float, TensorElementType.Float16);
        if (sample.Dimensions[1] is { } colours and not 3)
            throw graph.Refused($"output '{sample.Name}' has {colours} colours; it must have 3.");
        if (input.Dimensions[0] is { } batch and not 1)
            throw graph.Refused($"input 'latent_sample' has a fixed batch of {batch}; it must be 1 or vary.");
        output = sample.Name;
    }

    /// <summary>Channels of the latent; null when the graph does not say.</summary>
    public int? Channels => input.Dimensions[1];

    /// <summary>Whether it takes but one latent at once.</summary>
    public bool OneByOne => input.Dimensions[0] == 1;

    /// <summary>Decodes latents of one shape.</summary>
    public RgbImage[] Decode(LatentShape shape, IReadOnlyList<float[]> latents)
    {
        if (OneByOne && latents.Count > 1)
            return [.. latents.Select(latent => Decode(shape, [latent])[0])];
        var values = new float[latents.Count * shape.Length];
        for (var i = 0; i < latents.Count; i++)
            TensorPrimitives.Divide(latents[i], scale, values.AsSpan(i * shape.Length, shape.Length));
        if (shift != 0)
            TensorPrimitives.Add(values, shift, values);
        try
        {
            using var tensor = Singles.Tensor(input.Type, values, latents.Count, shape.Channels, shape.Height, shape.Width);
            using var results = graph.Session.Run(run, [input.Name], [tensor], [output]);
            var dimensions = results[0].GetTensorTypeAndShape().Shape;
            int width = shape.Width * pixelsPerCell, height = shape.Height * pixelsPerCell;
            if (dimensions is not [_, 3, var high, var wide] || high != height || wide != width)
                throw graph.Refused($"gives {string.Join('×', dimensions)} for a latent of {shape.Height}×{shape.Width}; with the {pixelsPerCell} pixels a cell of its config.json it should be {latents.Count}×3×{height}×{width}.");
            var pixels = Singles.Of(results[0]);
            return [.. latents.Select((latent, i) => ToImage(latent, pixels.AsSpan(i * 3 * width * height, 3 * width * height), width, height))];
        }
        catch (OnnxRuntimeException e) when (Graph.IsOutOfMemory(e))
        {
            throw new DeviceMemoryException($"Decoding {latents.Count} of {shape.Width * pixelsPerCell}x{shape.Height * pixelsPerCell} needs more memory than there is.", e);
        }
    }

    public void Dispose()
    {
        run.Dispose();
        graph.Dispose();
    }

    // From planes of -1 to 1 to interleaved bytes.
    RgbImage ToImage(float[] latent, Span<float> planes, int width, int height)
    {
        if (!TensorPrimitives.IsFiniteAll<float>(planes) && TensorPrimitives.IsFiniteAll<float>(latent))
            throw graph.Refused("gives values that are not numbers for a latent that is: it overflows, as SDXL's first decoder does in half precision.");
        TensorPrimitives.Multiply(planes, 127.5f, planes);
        TensorPrimitives.Add(planes, 128f, planes);
        TensorPrimitives.Min(planes, 255f, planes);
        // What comes of a latent that is not a number becomes black here; the engine tells of it.
        TensorPrimitives.MaxNumber(planes, 0f, planes);
        var count = width * height;
        var pixels = new byte[3 * count];
        for (var i = 0; i < count; i++)
        {
            pixels[3 * i] = (byte)planes[i];
            pixels[3 * i + 1] = (byte)planes[count + i];
            pixels[3 * i + 2] = (byte)planes[2 * count + i];
        }
        return new RgbImage(width, height, pixels);
    }
}
