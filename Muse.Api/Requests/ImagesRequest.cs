using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>The body of <c>POST /v1/images/generations</c>: OpenAI's fields and Muse's own.</summary>
public record ImagesRequest : ImageRequestFields
{
    /// <summary>url or b64_json.</summary>
    [AllowedValues("b64_json", "url"), DefaultValue("b64_json"),
        Description("How images are returned: in the response, or as links that work for an hour. "
            + "Left out, they are links for the model names dall-e-*.")]
    public string? ResponseFormat { get; init; }

    /// <summary>auto or opaque. Transparent images are not supported.</summary>
    [AllowedValues("auto", "opaque"), DefaultValue("auto"), Description("Images are opaque; 'transparent' is refused.")]
    public string? Background { get; init; }

    /// <summary>Accepted without effect.</summary>
    [AllowedValues("auto", "low"), Description("Has no effect; the response says so in 'warnings'.")]
    public string? Moderation { get; init; }

    /// <summary>Accepted without effect.</summary>
    [AllowedValues("vivid", "natural"), Description("Has no effect; the response says so in 'warnings'.")]
    public string? Style { get; init; }

    /// <summary>Whether to respond with server-sent events.</summary>
    [DefaultValue(false), Description("Whether to respond with server-sent events: previews, then the images.")]
    public bool? Stream { get; init; }

    /// <summary>Not supported: refused by name.</summary>
    [Description("Refused: animations are not supported.")]
    public JsonElement? FrameCount { get; init; }

    /// <summary>Not supported: refused by name.</summary>
    [Description("Refused: animations are not supported.")]
    public JsonElement? FrameDurationMs { get; init; }

    /// <summary>How many previews of each image to stream, 0 to 3.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(0, 3), DefaultValue(0), Description("How many previews of each image to stream.")]
    public int? PartialImages { get; init; }
}
