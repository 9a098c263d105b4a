using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>The decoder of a model's autoencoder: latents to images.</summary>
sealed class ImageDecoder : IDisposable
{
    readonly Graph graph;
    readonly LatentCodec latents;
    readonly GraphPort input;
    readonly string output;
    readonly RunOptions run = new();

    public ImageDecoder(Graph graph, LatentCodec latents)
    {
        (this.graph, this.latents) = (graph, latents);
        graph.AllowInputs("latent_sample");
        input = graph.RequiredInput("latent_sample");
        graph.Check(input, "input", [4], TensorElementType.Float, TensorElementType.Float16);
        var sample = graph.Output("sample");
        graph.Check(sample, "output", [4], TensorElementType.Float, TensorElementType.Float16);
        if (sample.Dimensions[1] is { } colours and not 3)
            throw graph.Refused($"output '{sample.Name}' has {colours} colours; it must have 3.");
        if (input.Dimensions[0] is { } batch and not 1)
            throw graph.Refused($"input 'latent_sample' has a fixed batch of {batch}; it must be 1 or vary.");
        output = sample.Name;
    }

    /// <summary>The graph's file, from the model folder's name on.</summary>
    public string File => graph.File;

    /// <summary>Channels of the latent; null when the graph does not say.</summary>
    public int? Channels => input.Dimensions[1];

    /// <summary>Whether it takes only one latent in a call.</summary>
    public bool OneByOne => input.Dimensions[0] == 1;

    /// <summary>Decodes latents of one shape.</summary>
    public RgbImage[] Decode(LatentShape shape, IReadOnlyList<float[]> batch)
    {
        if (OneByOne && batch.Count > 1)
            return [.. batch.Select(latent => Decode(shape, [latent])[0])];
        var values = new float[batch.Count * shape.Length];
        for (var i = 0; i < batch.Count; i++)
            latents.ToDecoder(shape, batch[i], values.AsSpan(i * shape.Length, shape.Length));
        int width = shape.Width * latents.PixelsPerCell, height = shape.Height * latents.PixelsPerCell;
        try
        {
            using var tensor = TensorConversions.ToTensor(input.Type, values, batch.Count, shape.Channels, shape.Height, shape.Width);
            using var results = graph.Session.Run(run, [input.Name], [tensor], [output]);
            var dimensions = results[0].GetTensorTypeAndShape().Shape;
            if (dimensions is not [_, 3, var high, var wide] || high != height || wide != width)
            {
                throw graph.Refused($"gives {string.Join('×', dimensions)} for a latent of {shape.Height}×{shape.Width}; "
                    + $"with the {latents.PixelsPerCell} pixels a cell of its config.json it should be {batch.Count}×3×{height}×{width}.");
            }
            var pixels = TensorConversions.ToSingles(results[0]);
            return [.. batch.Select((latent, i) =>
                ToImage(latent, pixels.AsSpan(i * 3 * width * height, 3 * width * height), width, height))];
        }
        catch (OnnxRuntimeException e) when (Graph.IsOutOfMemory(e))
        {
            throw new DeviceMemoryException($"Decoding {batch.Count} of {width}x{height} needs more memory than there is.", e);
        }
    }

    public void Dispose() => run.Dispose();

    // From planes of -1 to 1 to interleaved bytes.
    RgbImage ToImage(float[] latent, Span<float> planes, int width, int height)
    {
        if (!TensorPrimitives.IsFiniteAll<float>(planes) && TensorPrimitives.IsFiniteAll<float>(latent))
        {
            throw graph.Refused(
                "gives values that are not numbers for a latent that is: it overflows, as some decoders do in half precision.");
        }

        TensorPrimitives.Multiply(planes, 127.5f, planes);
        TensorPrimitives.Add(planes, 128f, planes);
        TensorPrimitives.Min(planes, 255f, planes);
        // What comes of a latent that is not a number becomes black here; the engine reports it.
        TensorPrimitives.MaxNumber(planes, 0f, planes);
        var count = width * height;
        var image = RgbImage.Create(width, height);
        var pixels = image.Pixels;
        for (var i = 0; i < count; i++)
        {
            pixels[3 * i] = (byte)planes[i];
            pixels[3 * i + 1] = (byte)planes[count + i];
            pixels[3 * i + 2] = (byte)planes[2 * count + i];
        }
        return image;
    }
}
