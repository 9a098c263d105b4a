using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>The fields that all requests for images share. All but the prompt are optional. Unknown fields are ignored.</summary>
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
