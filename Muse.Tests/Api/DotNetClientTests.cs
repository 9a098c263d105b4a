using System.ClientModel;
using Microsoft.Extensions.AI;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.Connectors.OpenAI;
using Microsoft.SemanticKernel.TextToImage;
using OpenAI;

#pragma warning disable MEAI001, OPENAI001, SKEXP0001, SKEXP0010 // All image services of these clients are marked as experimental.

namespace Muse.Tests.Api;

/// <summary>Microsoft's clients, unchanged, against the API.</summary>
public sealed class DotNetClientTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task Microsoft_Extensions_AI_generates_and_edits()
    {
        var client = new OpenAIClient(new ApiKeyCredential("unused"), new OpenAIClientOptions { Endpoint = new(server.Address, "/v1") });
        using var images = client.GetImageClient("gpt-image-1").AsIImageGenerator();
        var made = await images.GenerateImagesAsync("a fox",
            new() { Count = 2, ImageSize = new(1024, 1024), ResponseFormat = ImageGenerationResponseFormat.Data });
        Assert.Equal(2, made.Contents.Count);
        var file = Assert.IsType<DataContent>(made.Contents[0]);
        Assert.Equal("PNG"u8, file.Data.Span.Slice(1, 3));

        var edited = await images.EditImageAsync(file, "a blue fox");
        Assert.Equal("PNG"u8, Assert.IsType<DataContent>(edited.Contents.Single()).Data.Span.Slice(1, 3));
        var job = server.Worker!.Seen.Last();
        Assert.Equal(("a blue fox", true), (job.Prompt, job.Input is not null));
    }

    [SkippableFact]
    public async Task Semantic_Kernel_generates()
    {
        using var http = new HttpClient { BaseAddress = new(server.Address, "/v1") };
        var kernel = Kernel.CreateBuilder()
            .AddOpenAITextToImage(apiKey: "unused", modelId: "dall-e-3", httpClient: http).Build();
        var images = kernel.GetRequiredService<ITextToImageService>();
        // It asks for no format and reads a link.
        var linked = await images.GenerateImageAsync("a fox", 1024, 1024);
        Assert.Equal(0x89, (await server.Client.GetByteArrayAsync(linked))[0]);

        var made = await images.GetImageContentsAsync(new Microsoft.SemanticKernel.TextContent("a fox"),
            new OpenAITextToImageExecutionSettings { Size = (1792, 1024), ResponseFormat = "b64_json" });
        Assert.Equal("PNG"u8, made.Single().Data!.Value.Span.Slice(1, 3));
    }
}
