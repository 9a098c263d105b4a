using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Tests.Autoscaler;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Networks;

public class TiledDecodingTests
{
    // Of the decoders that are computed here.
    const int PixelsPerCell = 2;

    [Theory]
    [InlineData(16, 16, 16, new[] { 0 })]
    [InlineData(17, 16, 10, new[] { 0, 7 })]
    [InlineData(28, 16, 16, new[] { 0, 12 })]
    [InlineData(29, 16, 12, new[] { 0, 8, 17 })]
    [InlineData(30, 17, 17, new[] { 0, 13 })]
    [InlineData(128, 64, 52, new[] { 0, 38, 76 })]
    public void Tiles_cover_the_latent_share_a_quarter_and_are_no_larger_than_that_takes(int length, int largest, int side, int[] starts)
    {
        Assert.Equal(side, TiledDecoding.SideOf(length, largest));
        Assert.Equal(starts, TiledDecoding.Starts(length, side));
    }

    [Theory]
    [InlineData(16, 16)]
    [InlineData(16, 40)]
    [InlineData(33, 17)]
    [InlineData(29, 50)]
    public void A_decoder_that_looks_at_one_cell_gives_the_same_in_tiles_as_at_once(int height, int width)
    {
        var shape = new LatentShape(4, height, width);
        var latent = new float[shape.Length];
        new SeededNoise(1).Fill(0, 0, latent);
        Assert.Equal(Local(shape, latent), TiledDecoding.Decode(shape, latent, tile: 16, PixelsPerCell, Local));

        // A pixel depends on its cell, its place in the cell and its colour.
        static float[] Local(LatentShape shape, float[] latent)
        {
            int high = shape.Height * PixelsPerCell, wide = shape.Width * PixelsPerCell;
            return [.. Enumerable.Range(0, 3 * high * wide).Select(i =>
            {
                int colour = i / (high * wide), y = i / wide % high, x = i % wide;
                var cell = y / PixelsPerCell * shape.Width + x / PixelsPerCell;
                return latent[colour * shape.Height * shape.Width + cell] + 0.3f * latent[3 * shape.Height * shape.Width + cell]
                    + 0.01f * (y % PixelsPerCell) + 0.02f * (x % PixelsPerCell);
            })];
        }
    }

    [Fact]
    public void Where_tiles_overlap_each_has_a_weight_that_falls_linearly_from_one_to_the_other()
    {
        const int side = 24, tile = 14, second = 10, pixels = side * PixelsPerCell, shared = (tile - second) * PixelsPerCell;
        var shape = new LatentShape(4, side, side);
        // The values of a latent rise by 1 from row to row, and by 0.25 from column to column.
        float[] latent = [.. Enumerable.Range(0, shape.Length).Select(i => i / side % side + 0.25f * (i % side))];
        var image = TiledDecoding.Decode(shape, latent, tile, PixelsPerCell, (part, values) =>
        {
            Assert.Equal(new LatentShape(4, tile, tile), part);
            return [.. Enumerable.Repeat(values.Average(), 3 * tile * tile * PixelsPerCell * PixelsPerCell)];
        });
        for (var i = 0; i < image.Length; i++)
        {
            int y = i / pixels % pixels, x = i % pixels;
            // The second tile begins that many cells after the first, and its mean differs by so much.
            var expected = 6.5 + 0.25 * 6.5 + second * Weight(y) + 0.25 * second * Weight(x);
            Assert.Equal(expected, image[i], 1e-4);
        }

        static double Weight(int position) => Math.Clamp((position - second * PixelsPerCell + 0.5) / shared, 0, 1);
    }

    static IDiffusionModel Open(string folder, int? tile, ILogger? log = null) => DiffusionModels.Open(
        folder, "cpu", new DeviceOptions { Threads = 1, DecodeTile = tile }, TimeProvider.System, log ?? NullLogger.Instance);

    // Each as it is, and with a decoder that has no memory for more than 16 rows of cells.
    static readonly Dictionary<string, Func<int?, string>> Variants = new()
    {
        ["Stable Diffusion"] = fits => new OnnxFolderBuilder { VaeFits = fits }.Write(),
        ["half precision"] = fits =>
            new OnnxFolderBuilder { VaeFits = fits, Real = TensorElementType.Float16, FileName = "model_fp16.onnx" }.Write(),
        ["one image at a time"] = fits => new OnnxFolderBuilder { VaeFits = fits, VaeBatch = 1 }.Write(),
        ["FLUX"] = fits => new TransformerFolderBuilder { VaeFits = fits, IsFlux = true, Scheduler = Flow }.Write(),
        ["Stable Diffusion 3"] = fits => new TransformerFolderBuilder { VaeFits = fits, Scheduler = Flow }.Write(),
    };

    const string Flow = """{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}""";

    public static TheoryData<string> Layouts => new(Variants.Keys);

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Images_above_the_tile_that_is_set_are_decoded_in_tiles(string layout)
    {
        using IDiffusionModel whole = Open(Variants[layout](null), null), tiled = Open(Variants[layout](16), tile: 128);
        var shape = whole.GetLatentShape(320, 208);
        var latents = Enumerable.Range(0, 2).Select(seed => Noise(shape, seed)).ToArray();
        var (expected, actual) = (whole.Decode(shape, latents), tiled.Decode(shape, latents));
        Assert.Equal((320, 208), (actual[0].Width, actual[0].Height));
        Assert.Equal(expected.Select(image => image.Pixels), actual.Select(image => image.Pixels));
    }

    [Fact]
    public async Task An_image_that_does_not_fit_as_a_whole_is_decoded_in_tiles_and_so_is_the_next_of_its_size()
    {
        var log = new LinesLogger();
        var request = Requests.Of("a", size: 256, steps: 2);
        var images = new List<byte[]>();
        foreach (var fits in new int?[] { null, 20 })
        {
            var model = Open(new OnnxFolderBuilder { VaeFits = fits }.Write(), null, log.For<DiffusionEngine>());
            await using var engine = await EngineUnderTest.StartAsync(model);
            engine.Submit(request);
            images.Add(await engine.ImageOf("a"));
            engine.Submit(request with { Id = "b" });
            images.Add(await engine.ImageOf("b"));
        }
        Assert.All(images, image => Assert.Equal(images[0], image));
        var line = Assert.Single(log.All, line => line.Contains("tiles", StringComparison.Ordinal));
        Assert.Equal("An image of 256x256 did not fit into the device's memory to be decoded; from now on this size is decoded in tiles of "
            + "152 pixels, whose seams may be seen", line);
    }

    [Fact]
    public void An_image_that_does_not_fit_in_small_tiles_either_is_refused()
    {
        using var model = Open(new OnnxFolderBuilder { VaeFits = 8 }.Write(), null);
        var shape = model.GetLatentShape(256, 256);
        Assert.Throws<DeviceMemoryException>(() => model.Decode(shape, [Noise(shape, 1)]));
    }

    [Fact]
    public void The_built_in_model_s_tiles_differ_little_from_the_whole()
    {
        const int size = 512;
        var folder = Path.Combine(Repository.Root, "models", "scenes");
        using IDiffusionModel whole = Open(folder, null), tiled = Open(folder, tile: 256);
        var shape = whole.GetLatentShape(size, size);
        var latent = whole.EncodeImage(shape, Inputs.Image(3, size), [], new SeededNoise(1));
        var (expected, actual) = (whole.Decode(shape, [latent])[0].Pixels, tiled.Decode(shape, [latent])[0].Pixels);
        var differences = expected.Zip(actual, (a, b) => Math.Abs(a - b)).ToArray();
        // Not the same: its normalisations look at the whole of what they are given.
        Assert.InRange(differences.Max(), 1, 4);
        Assert.True(differences.Average() < 0.1, $"The mean is {differences.Average()}.");
    }

    static float[] Noise(LatentShape shape, int seed)
    {
        var values = new float[shape.Length];
        new SeededNoise(seed).Fill(0, 0, values);
        return values;
    }
}
