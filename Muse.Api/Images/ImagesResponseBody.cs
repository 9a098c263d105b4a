using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>
/// The response of <c>POST /v1/images/generations</c> and <c>/edits</c>. <see cref="ImagesResponse"/> writes it in pieces; the OpenAPI
/// document and the tests use this record.
/// </summary>
public sealed record ImagesResponseBody
{
    /// <summary>When it was completed, Unix seconds.</summary>
    public required long Created { get; init; }
    /// <summary>The images, in order.</summary>
    public required IReadOnlyList<ImageData> Data { get; init; }
    /// <summary>The job's id.</summary>
    public required string Id { get; init; }
    /// <summary>The first image's seed.</summary>
    public required ulong Seed { get; init; }
    /// <summary>WIDTHxHEIGHT in pixels.</summary>
    public required string Size { get; init; }
    /// <summary>low, medium or high.</summary>
    public required string Quality { get; init; }
    /// <summary>png, jpeg or webp.</summary>
    public required string OutputFormat { get; init; }
    /// <summary>Always opaque.</summary>
    public required string Background { get; init; }
    /// <summary>The model that generated the images, whatever name the request had for it.</summary>
    public string? Model { get; init; }
    /// <summary>OpenAI's count of tokens, here words and patches of 8 by 8 pixels.</summary>
    public required TokenUsage Usage { get; init; }
    /// <summary>Fields that had no effect or another one than requested, each in a sentence.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>One image of a response.</summary>
public sealed record ImageData
{
    /// <summary>The file as Base64, unless links were requested.</summary>
    [JsonPropertyName("b64_json")]
    public string? B64Json { get; init; }
    /// <summary>A link to the file, where links were requested. It works for an hour.</summary>
    public string? Url { get; init; }
    /// <summary>Always null: prompts are not revised.</summary>
    public string? RevisedPrompt { get; init; }
    /// <summary>The seed that generates this image again.</summary>
    public required ulong Seed { get; init; }
    /// <summary>The end of the prompt that is beyond the model's limit.</summary>
    public string? PromptCutOff { get; init; }
    /// <summary>Whether the safety checker flagged it; it is black then.</summary>
    public bool? Flagged { get; init; }
}

/// <summary>A count of tokens.</summary>
/// <param name="InputTokens">Words of the prompt, and patches of 8 by 8 pixels of the input image.</param>
/// <param name="OutputTokens">Patches of 8 by 8 pixels generated.</param>
/// <param name="TotalTokens">Their sum.</param>
/// <param name="InputTokensDetails">The input in detail.</param>
/// <param name="OutputTokensDetails">The output in detail.</param>
public sealed record TokenUsage(long InputTokens, long OutputTokens, long TotalTokens, InputTokenDetails InputTokensDetails,
    OutputTokenDetails OutputTokensDetails);

/// <summary>A count of input tokens.</summary>
/// <param name="TextTokens">Words of the prompt.</param>
/// <param name="ImageTokens">Patches of 8 by 8 pixels of the input image; 0 without one.</param>
public sealed record InputTokenDetails(int TextTokens, long ImageTokens);

/// <summary>A count of output tokens.</summary>
/// <param name="ImageTokens">Patches of 8 by 8 pixels generated.</param>
/// <param name="TextTokens">Always 0.</param>
public sealed record OutputTokenDetails(long ImageTokens, int TextTokens);
