using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using Muse.Tests.Infrastructure;
using OpenAI;
using OpenAI.Images;
using SkiaSharp;

#pragma warning disable OPENAI001 // The client marks newer options as experimental.

namespace Muse.Tests.Api;

/// <summary>The official .NET client against the API and a real worker process that generates with the built-in model on the CPU.</summary>
public sealed class RealWorkerClientTests : IAsyncLifetime
{
    ApiServer server = null!;
    ProgramProcess worker = null!;
    ImageClient images = null!;

    public async Task InitializeAsync()
    {
        server = await ApiServer.StartAsync(withoutWorker: true);
        worker = new("Muse.GpuWorker", server.Redis, ("MUSE_GPU_TYPE", "cpu"), ("MUSE_MAX_BATCH_SIZE", "2"));
        images = new("gpt-image-1", new ApiKeyCredential("unused"), new OpenAIClientOptions { Endpoint = new(server.Address, "/v1") });
    }

    public async Task DisposeAsync()
    {
        await worker.DisposeAsync();
        await server.DisposeAsync();
    }

    [SkippableFact]
    public async Task Generates_in_every_format_and_streams_previews_that_become_the_image()
    {
        // The first waits until the worker has loaded its model.
        var plain = (await images.GenerateImageAsync("a small blue house at night")).Value.ImageBytes.ToArray();
        Assert.True(Colours(plain) > 20, "The image is blank.");
        Assert.Contains("a small blue house at night", Encoding.Latin1.GetString(plain)); // In the PNG's text chunk.
        foreach (var (format, skia) in ((string, SKEncodedImageFormat)[])[("jpeg", SKEncodedImageFormat.Jpeg),
            ("webp", SKEncodedImageFormat.Webp)])
        {
            var generated = (await images.GenerateImagesAsync("a yellow sun", 2,
                new() { OutputFileFormat = new GeneratedImageFileFormat(format), OutputCompressionFactor = 60 })).Value;
            Assert.Equal(2, generated.Count);
            Assert.All(generated, image => Assert.Equal(skia, SKCodec.Create(image.ImageBytes.ToStream()).EncodedFormat));
        }

        var wish = new
        {
            model = "gpt-image-1",
            prompt = "a large red star above a small blue house",
            seed = 7,
            steps = 50,
            stream = true,
            partial_images = 3
        };
        var response = (await images.GenerateImagesAsync(BinaryContent.Create(BinaryData.FromObjectAsJson(wish)),
            new RequestOptions { BufferResponse = false })).GetRawResponse();
        var events = await Sse.ReadAllAsync(response.ContentStream!);
        // Where the machine is so busy that two previews come at once, the later one counts.
        Assert.InRange(events.Count, 2, 4);
        Assert.All(events[..^1], item => Assert.Equal("image_generation.partial_image", item.EventType));
        Assert.Equal("image_generation.completed", events[^1].EventType);
        var sizes = events.Select(item => SKBitmap.Decode(item.Data.GetProperty("b64_json").GetBytesFromBase64()))
            .Select(image => (image.Width, image.Height)).ToList();
        Assert.Equal((128, 128), sizes[^1]);
        Assert.Empty(server.Log.Errors);
    }

    [SkippableFact]
    public async Task Edits_with_a_mask_and_keeps_every_pixel_outside_it()
    {
        var original = (await images.GenerateImageAsync("a large red star in the middle on a blue background")).Value.ImageBytes.ToArray();
        using var before = SKBitmap.Decode(original);
        using var mask = new SKBitmap(new SKImageInfo(before.Width, before.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        mask.Erase(SKColors.Black);
        for (var y = 32; y < 96; y++)
        {
            for (var x = 32; x < 96; x++)
                mask.SetPixel(x, y, SKColors.Transparent);
        }
        using var maskFile = mask.Encode(SKEncodedImageFormat.Png, 100);
        var edit = (await images.GenerateImageEditAsync(new MemoryStream(original), "star.png", "a large green star on a blue background",
            maskFile.AsStream(), "mask.png")).Value.ImageBytes.ToArray();
        using var after = SKBitmap.Decode(edit);
        for (var y = 0; y < before.Height; y++)
        {
            for (var x = 0; x < before.Width; x++)
            {
                if (mask.GetPixel(x, y).Alpha == 255)
                    Assert.Equal(before.GetPixel(x, y), after.GetPixel(x, y));
            }
        }
        Assert.NotEqual(before.GetPixel(64, 64), after.GetPixel(64, 64));
        Assert.Contains("Denoising strength: ", Encoding.Latin1.GetString(edit));
        Assert.Empty(server.Log.Errors);
    }

    static int Colours(byte[] image) => SKBitmap.Decode(image).Pixels.Distinct().Count();
}
