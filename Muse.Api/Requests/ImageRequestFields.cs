using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>The fields that both image requests share. Every field but the prompt may be left out. Unknown fields are ignored.</summary>
public abstract record ImageRequestFields
{
    /// <summary>The prompt.</summary>
    [Required, MinLength(1), Description("The prompt.")]
    public string? Prompt { get; init; }

    /// <summary>What the image must not show.</summary>
    [Description("What the image must not show.")]
    public string? NegativePrompt { get; init; }

    /// <summary>Whether weights such as <c>(red:1.3)</c> are read in both prompts.</summary>
    [DefaultValue(false), Description("Whether (red:1.3), ((red)), [red] and BREAK are read as AUTOMATIC1111's web UI reads them. "
        + "Otherwise they are text.")]
    public bool? PromptWeights { get; init; }

    /// <summary>The served model's name, or one of the aliases that the operator allows.</summary>
    [Description("The served model's name, or one of the aliases that the operator allows. Left out: the served model.")]
    public string? Model { get; init; }

    /// <summary>How many images, 1 to 10.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(1, 10), DefaultValue(1), Description("How many images. Image i is generated with seed + i.")]
    public int? N { get; init; }

    /// <summary><c>auto</c> or <c>WIDTHxHEIGHT</c> in pixels.</summary>
    [RegularExpression("^(auto|[0-9]{1,5}x[0-9]{1,5})$"), DefaultValue("auto"),
        Description("'auto', or WIDTHxHEIGHT in pixels. GET /v1/models lists what the model supports.")]
    public string? Size { get; init; }

    /// <summary>The number of steps: low halves the model's default, the higher ones double it.</summary>
    [AllowedValues("auto", "standard", "low", "medium", "high", "hd", "xhigh", "max"), DefaultValue("auto"),
        Description("The number of steps: low halves the model's default, the higher ones double it. 'steps' sets it exactly.")]
    public string? Quality { get; init; }

    /// <summary>Denoising steps.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(1, 1000), Description("Denoising steps. Left out: the model's default.")]
    public int? Steps { get; init; }

    /// <summary>Classifier-free guidance scale, 0 to 50; 1 is off.</summary>
    [Range(0.0, 50.0), Description("Classifier-free guidance scale; 1 is off. Left out: the model's default.")]
    public float? GuidanceScale { get; init; }

    /// <summary>The first image's seed, or -1 for a random one.</summary>
    [JsonConverter(typeof(SeedConverter)), Description("The first image's seed: the same seed and settings generate the same image. "
        + "Left out or -1: random; the answer names it.")]
    public Int128? Seed { get; init; }

    /// <summary>The sampler's name.</summary>
    [Description("The sampler's name; GET /v1/models lists them.")]
    public string? Scheduler { get; init; }

    /// <summary>png, jpeg or webp.</summary>
    [AllowedValues("png", "jpeg", "webp"), DefaultValue("png"), Description("The images' file format.")]
    public string? OutputFormat { get; init; }

    /// <summary>Quality of a JPEG or WebP, 0 to 100.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(0, 100), DefaultValue(90), Description("Quality of a JPEG or WebP.")]
    public int? OutputCompression { get; init; }

    /// <summary>The end user, accepted and not read.</summary>
    [Description("Accepted and not read.")]
    public string? User { get; init; }

    /// <summary>The image to start from. OpenAI allows several; Muse edits one.</summary>
    [JsonIgnore]
    public virtual IReadOnlyList<InputFile>? InputImages => null;

    /// <summary>Which part of the image to generate anew.</summary>
    [JsonIgnore]
    public virtual InputFile? InputMask => null;

    /// <summary>How far from the image the result may be, above 0 to 1.</summary>
    [JsonIgnore]
    public virtual double? InputStrength => null;

    /// <summary>How the mask is to be read.</summary>
    [JsonIgnore]
    public virtual string? InputMaskMode => null;
}

/// <summary>The body of <c>POST /v1/images/generations</c>: OpenAI's fields, and Muse's own beside them.</summary>
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

/// <summary>The body of <c>POST /v1/images/edits</c>, as JSON or as a form.</summary>
public sealed record EditsRequest : ImagesRequest
{
    /// <summary>The image to edit, as OpenAI's JSON has it.</summary>
    [JsonConverter(typeof(InputFilesConverter)), Description("The image to edit: [{\"image_url\": \"data:image/png;base64,...\"}].")]
    public IReadOnlyList<InputFile>? Images { get; init; }

    /// <summary>The same under the name of the form's field.</summary>
    [JsonConverter(typeof(InputFilesConverter)), Description("The same as 'images'; in a form, the file.")]
    public IReadOnlyList<InputFile>? Image { get; init; }

    /// <summary>An image of the same size; its transparent pixels are generated anew.</summary>
    [JsonConverter(typeof(InputFileConverter)), Description("An image of the same size, whose transparent pixels are generated anew. "
        + "All others stay as they are.")]
    public InputFile? Mask { get; init; }

    /// <summary>alpha or white_is_edit.</summary>
    [AllowedValues("alpha", "white_is_edit"), DefaultValue("alpha"),
        Description("Which pixels of the mask are generated anew: the transparent or the white ones.")]
    public string? MaskMode { get; init; }

    /// <summary>How far from the image the result may be, above 0 to 1.</summary>
    [Range(0.0, 1.0), Description("How far from the image the result may be, above 0 to 1. Left out: the model's default.")]
    public double? Strength { get; init; }

    /// <summary>high or low: a strength where none is given.</summary>
    [AllowedValues("high", "low"), Description("How much of the image to keep, where 'strength' and 'mask' are left out.")]
    public string? InputFidelity { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<InputFile>? InputImages => Images ?? Image;

    /// <inheritdoc/>
    public override InputFile? InputMask => Mask;

    /// <inheritdoc/>
    public override double? InputStrength => Strength ?? (Mask is not null ? null : InputFidelity switch
    {
        "high" => HighFidelityStrength,
        "low" => LowFidelityStrength,
        _ => null,
    });

    /// <inheritdoc/>
    public override string? InputMaskMode => MaskMode;

    const double HighFidelityStrength = 0.4, LowFidelityStrength = 0.75;
}

/// <summary>The body of <c>POST /v1/generations</c>.</summary>
public sealed record GenerationBody : ImageRequestFields
{
    /// <summary>How many previews of each image to make, 0 to 100.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(0, 100), DefaultValue(0), Description("How many previews of each image to make.")]
    public int? Previews { get; init; }

    /// <summary>interactive or batch.</summary>
    [AllowedValues("interactive", "batch"), DefaultValue("interactive"),
        Description("Interactive jobs go before batch jobs, without starving them.")]
    public string? Priority { get; init; }

    /// <summary>Seconds after which the job is no longer started.</summary>
    [JsonConverter(typeof(WholeInt32Converter))]
    [Range(1, 86_400), Description("A job that has not started after this many seconds fails with deadline_exceeded.")]
    public int? DeadlineSeconds { get; init; }

    /// <summary>The address that receives a POST when the job has ended.</summary>
    [Description("The address that receives a POST when the job has ended; only origins that the operator allows.")]
    public string? Webhook { get; init; }

    /// <summary>The image to start from.</summary>
    [JsonConverter(typeof(InputFilesConverter)), Description("The image to start from: a data: URL with a PNG, JPEG or WebP file.")]
    public IReadOnlyList<InputFile>? Image { get; init; }

    /// <summary>An image of the same size that says which pixels are generated anew.</summary>
    [JsonConverter(typeof(InputFileConverter)), Description("An image of the same size, whose transparent pixels are generated anew.")]
    public InputFile? Mask { get; init; }

    /// <summary>alpha or white_is_edit.</summary>
    [AllowedValues("alpha", "white_is_edit"), DefaultValue("alpha"),
        Description("Which pixels of the mask are generated anew: the transparent or the white ones.")]
    public string? MaskMode { get; init; }

    /// <summary>How far from the image the result may be, above 0 to 1.</summary>
    [Range(0.0, 1.0), Description("How far from the image the result may be, above 0 to 1. Left out: the model's default.")]
    public double? Strength { get; init; }

    /// <inheritdoc/>
    public override IReadOnlyList<InputFile>? InputImages => Image;

    /// <inheritdoc/>
    public override InputFile? InputMask => Mask;

    /// <inheritdoc/>
    public override double? InputStrength => Strength;

    /// <inheritdoc/>
    public override string? InputMaskMode => MaskMode;
}

/// <summary>The body of the original Muse's <c>POST /api/predict</c>.</summary>
public sealed record PredictRequest
{
    /// <summary>The prompt; "surprise me" stands for a random one.</summary>
    [Description("The prompt; \"surprise me\" stands for a random one.")]
    public string? Prompt { get; init; }

    /// <summary>The name of the prompt in the first version of the original.</summary>
    [Description("The name of the prompt in the first version of the original.")]
    public string? Dream { get; init; }

    /// <summary>50 steps instead of 25.</summary>
    [DefaultValue(false), Description("50 steps instead of 25.")]
    public bool? HighQuality { get; init; }
}

/// <summary>Limits that hold for every model.</summary>
static class Limits
{
    public const int MaxCount = 10;
    public const float MaxGuidance = 50;
}
