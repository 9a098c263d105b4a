using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI;
using OpenAI.Images;

#pragma warning disable OPENAI001 // The client marks newer options as experimental.

namespace Muse.Tests.Api;

/// <summary>The official .NET client, unchanged, against the API.</summary>
public sealed class OpenAIClientTests : IAsyncLifetime
{
    ApiServer server = null!;
    ImageClient images = null!;

    public async Task InitializeAsync()
    {
        server = await ApiServer.StartAsync();
        images = new("gpt-image-1", new ApiKeyCredential("unused"), new OpenAIClientOptions { Endpoint = new(server.Address, "/v1") });
    }

    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task Generates_one_and_four()
    {
        var one = (await images.GenerateImageAsync("a fox")).Value;
        Assert.Equal(0x89, one.ImageBytes.ToArray()[0]);
        var four = (await images.GenerateImagesAsync("a fox", 4, new() { Size = new(192, 128) })).Value;
        Assert.Equal(4, four.Select(image => Convert.ToHexString(image.ImageBytes)).Distinct().Count());
        Assert.Equal(("192x128", 24L * 16 * 4), (four.Size.ToString(), four.Usage.OutputTokenCount));
    }

    [SkippableFact]
    public async Task Fetches_links()
    {
        var image = (await images.GenerateImageAsync("a fox", new() { ResponseFormat = GeneratedImageFormat.Uri })).Value;
        Assert.Equal(0x89, (await server.Client.GetByteArrayAsync(image.ImageUri))[0]);
    }

    [SkippableTheory]
    [InlineData("png")]
    [InlineData("jpeg")]
    [InlineData("webp")]
    public async Task Chooses_a_format(string format)
    {
        var options = new ImageGenerationOptions
        {
            OutputFileFormat = new GeneratedImageFileFormat(format),
            Quality = GeneratedImageQuality.HighQuality
        };
        if (format != "png")
            options.OutputCompressionFactor = 40;
        var answer = (await images.GenerateImagesAsync("a fox", 1, options)).Value;
        Assert.Equal(format, answer.OutputFileFormat.ToString());
        var job = server.Worker!.Seen.Last();
        Assert.Equal((format, format == "png" ? 90 : 40, 40), (job.Format.ToString().ToLowerInvariant(), job.Quality, job.Steps));
    }

    [SkippableFact]
    public async Task Streams_three_previews_and_the_image()
    {
        // This client has no types for streamed images yet, but sends and reads what its caller writes.
        var body = BinaryContent.Create(BinaryData.FromObjectAsJson(new
        {
            model = "gpt-image-1",
            prompt = "a fox, stepwise",
            stream = true,
            partial_images = 3
        }));
        var response = (await images.GenerateImagesAsync(body, new RequestOptions { BufferResponse = false })).GetRawResponse();
        var events = await Sse.ReadAllAsync(response.ContentStream!, item =>
        {
            if (item.Data.TryGetProperty("partial_image_index", out _))
                server.Worker!.Advance();
            return false;
        });

        Assert.Equal(["image_generation.partial_image", "image_generation.partial_image", "image_generation.partial_image",
            "image_generation.completed"], events.Select(item => item.Data.GetProperty("type").GetString()));
        Assert.Equal([0, 1, 2], events[..3].Select(item => item.Data.GetProperty("partial_image_index").GetInt32()));
        Assert.True(events[3].Data.TryGetProperty("usage", out _));
        Assert.All(events, item => Assert.Equal(item.EventType, item.Data.GetProperty("type").GetString()));
        Assert.All(events, item => Assert.Equal(0x89, item.Data.GetProperty("b64_json").GetBytesFromBase64()[0]));
        Assert.Equal(4, events.Select(item => item.Data.GetProperty("b64_json").GetString()).Distinct().Count());
    }

    [SkippableFact]
    public async Task Maps_each_error_to_its_status()
    {
        Assert.Equal(400, await Status(images, "a fox", new() { Size = new(100, 100) }));
        Assert.Equal(404, await Status(new ImageClient("unheard-of", new ApiKeyCredential("unused"),
            new OpenAIClientOptions { Endpoint = new(server.Address, "/v1") }), "a fox", new()));
        var impatient = new ImageClient("gpt-image-1", new ApiKeyCredential("unused"),
            new OpenAIClientOptions { Endpoint = new(server.Address, "/v1"), RetryPolicy = new ClientRetryPolicy(0) });
        Assert.Equal(500, await Status(impatient, "explode", new()));
        await server.Redis.KillAsync();
        Assert.Equal(503, await Status(impatient, "a fox", new()));
        await server.Redis.LaunchAsync();

        static async Task<int> Status(ImageClient client, string prompt, ImageGenerationOptions options) =>
            (await Assert.ThrowsAsync<ClientResultException>(() => client.GenerateImageAsync(prompt, options))).Status;
    }

    [SkippableFact]
    public async Task Comes_back_by_itself_after_429()
    {
        await using var busy = await ApiServer.StartAsync(settings: ApiServer.OneRequestASecond);
        var client = new ImageClient("gpt-image-1", new ApiKeyCredential(ApiServer.HurriedKey),
            new OpenAIClientOptions { Endpoint = new(busy.Address, "/v1") });
        var both = await Task.WhenAll(client.GenerateImageAsync("a fox"), client.GenerateImageAsync("a dog"));
        Assert.Equal(2, both.Length);
    }

    [SkippableFact]
    public async Task Cancels()
    {
        using var cancel = new CancellationTokenSource();
        var generating = images.GenerateImageAsync("hold it", cancellationToken: cancel.Token);
        await ImagesTests.Until(() => server.Worker!.Seen.Count == 1);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => generating);
        await ImagesTests.Until(() => server.Worker!.Cancelled == 1);
    }
}
