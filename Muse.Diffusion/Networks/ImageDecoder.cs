using System.Numerics.Tensors;
using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>The decoder of a model's autoencoder: latents to images.</summary>
/// <remarks>
/// A latent that is larger than the largest tile, or that does not fit into the device's memory as a whole, is decoded in tiles
/// (<see cref="TiledDecoding"/>).
/// </remarks>
sealed class ImageDecoder : IDisposable
{
    readonly Graph graph;
    readonly ILogger logger;
    // Width and height of a tile at most, cells; others for shapes that did not fit into the device's memory.
    readonly int largestTile;
    readonly Dictionary<LatentShape, int> tiles = [];
    readonly LatentCodec latents;
    readonly GraphPort input;
    readonly string output;
    readonly RunOptions run = new();

    /// <param name="graph">The graph.</param>
    /// <param name="latents">The model's latents.</param>
    /// <param name="largestTile">Width and height above which an image is decoded in tiles of at most this size, pixels; null for
    /// none.</param>
    /// <param name="logger">Where it is said that a size does not fit as a whole.</param>
    public ImageDecoder(Graph graph, LatentCodec latents, int? largestTile, ILogger logger)
    {
        (this.graph, this.latents, this.logger) = (graph, latents, logger);
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
        this.largestTile = largestTile is { } pixels && SizeMayVary ? Math.Max(1, pixels / latents.PixelsPerCell) : int.MaxValue;
    }

    /// <summary>The graph's file, from the model folder's name on.</summary>
    public string File => graph.File;

    /// <summary>Channels of the latent; null when the graph does not say.</summary>
    public int? Channels => input.Dimensions[1];

    /// <summary>Whether it takes only one latent in a call.</summary>
    public bool OneByOne => input.Dimensions[0] == 1;

    bool SizeMayVary => input.Dimensions is [_, _, null, null];

    /// <summary>Decodes latents of one shape.</summary>
    /// <exception cref="DeviceMemoryException">They don't fit together, or a single one does not fit in small tiles either.</exception>
    public RgbImage[] Decode(LatentShape shape, IReadOnlyList<float[]> batch)
    {
        if (batch.Count > 1 && (OneByOne || IsTiled(shape)))
            return [.. batch.Select(latent => Decode(shape, [latent])[0])];
        var values = new float[batch.Count * shape.Length];
        for (var i = 0; i < batch.Count; i++)
            latents.ToDecoder(shape, batch[i], values.AsSpan(i * shape.Length, shape.Length));
        var pixels = batch.Count == 1 ? RunOne(shape, values) : Run(shape, batch.Count, values);
        int width = shape.Width * latents.PixelsPerCell, height = shape.Height * latents.PixelsPerCell;
        return [.. batch.Select((latent, i) => ToImage(latent, pixels.AsSpan(i * 3 * width * height, 3 * width * height), width, height))];
    }

    public void Dispose() => run.Dispose();

    int TileOf(LatentShape shape) => tiles.GetValueOrDefault(shape, largestTile);

    bool IsTiled(LatentShape shape) => Math.Max(shape.Width, shape.Height) > TileOf(shape);

    // As a whole, or in tiles that are made smaller until they fit.
    float[] RunOne(LatentShape shape, float[] values)
    {
        while (true)
        {
            try
            {
                return IsTiled(shape)
                    ? TiledDecoding.Decode(shape, values, TileOf(shape), latents.PixelsPerCell, (part, latent) => Run(part, 1, latent))
                    : Run(shape, 1, values);
            }
            catch (DeviceMemoryException) when (SmallerTile(shape) is { } smaller)
            {
                tiles[shape] = smaller;
                EngineLog.DecodedInTiles(logger, shape.Width * latents.PixelsPerCell, shape.Height * latents.PixelsPerCell,
                    smaller * latents.PixelsPerCell);
            }
        }
    }

    // Four sevenths: two tiles that share a quarter cover what did not fit.
    int? SmallerTile(LatentShape shape)
    {
        var smaller = (4 * Math.Min(TileOf(shape), Math.Max(shape.Width, shape.Height)) + 6) / 7;
        return SizeMayVary && smaller * latents.PixelsPerCell >= DeviceOptions.MinDecodeTile ? smaller : null;
    }

    // From channels × height × width to 3 × height × width for each of them.
    float[] Run(LatentShape shape, int count, float[] values)
    {
        int width = shape.Width * latents.PixelsPerCell, height = shape.Height * latents.PixelsPerCell;
        try
        {
            using var tensor = TensorConversions.ToTensor(input.Type, values, count, shape.Channels, shape.Height, shape.Width);
            using var results = graph.Session.Run(run, [input.Name], [tensor], [output]);
            var dimensions = results[0].GetTensorTypeAndShape().Shape;
            if (dimensions is not [_, 3, var high, var wide] || high != height || wide != width)
            {
                throw graph.Refused($"gives {string.Join('×', dimensions)} for a latent of {shape.Height}×{shape.Width}; "
                    + $"with the {latents.PixelsPerCell} pixels a cell of its config.json it should be {count}×3×{height}×{width}.");
            }
            return TensorConversions.ToSingles(results[0]);
        }
        catch (OnnxRuntimeException e) when (Graph.IsOutOfMemory(e))
        {
            throw new DeviceMemoryException($"Decoding {count} of {width}x{height} needs more memory than there is.", e);
        }
    }

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
