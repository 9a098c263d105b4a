using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Muse.Api;

/// <summary>What both ways of asking for pictures have in common, as it comes over the wire. Every field but the prompt may be left out; unknown ones are ignored.</summary>
public abstract record PaintingFields
{
    /// <summary>What to paint.</summary>
    [Required, MinLength(1), Description("What to paint.")]
    public string? Prompt { get; init; }

    /// <summary>What to keep out of the picture.</summary>
    [Description("What to keep out of the picture.")]
    public string? NegativePrompt { get; init; }

    /// <summary>The served model's name, or one of the aliases that the operator allows.</summary>
    [Description("The served model's name, or one of the aliases that the operator allows. Left out: the served model.")]
    public string? Model { get; init; }

    /// <summary>How many pictures, 1 to 10.</summary>
    [Range(1, 10), DefaultValue(1), Description("How many pictures. Picture i is painted with seed + i.")]
    public int? N { get; init; }

    /// <summary><c>auto</c> or <c>WIDTHxHEIGHT</c> in pixels.</summary>
    [RegularExpression("^(auto|[0-9]{1,5}x[0-9]{1,5})$"), DefaultValue("auto"), Description("'auto', or WIDTHxHEIGHT in pixels. GET /v1/models tells what the model can do.")]
    public string? Size { get; init; }

    /// <summary>How many steps, in a word: low halves the model's default, hd and high double it.</summary>
    [AllowedValues("auto", "standard", "low", "medium", "high", "hd"), DefaultValue("auto"), Description("How many steps, in a word: low halves the model's default, hd and high double it. 'steps' says it exactly.")]
    public string? Quality { get; init; }

    /// <summary>Denoising steps.</summary>
    [Range(1, 1000), Description("Denoising steps. Left out: the model's default.")]
    public int? Steps { get; init; }

    /// <summary>Classifier-free guidance scale, 0 to 50; 1 is off.</summary>
    [Range(0.0, 50.0), Description("Classifier-free guidance scale; 1 is off. Left out: the model's default.")]
    public float? GuidanceScale { get; init; }

    /// <summary>The first picture's seed, or -1 for a random one.</summary>
    [Range(-1L, Limits.MaxSeed), Description("The first picture's seed: the same seed and settings paint the same picture. Left out or -1: random; the answer names it.")]
    public long? Seed { get; init; }

    /// <summary>The sampler's name.</summary>
    [Description("The sampler's name; GET /v1/models lists them.")]
    public string? Scheduler { get; init; }

    /// <summary>png, jpeg or webp.</summary>
    [AllowedValues("png", "jpeg", "webp"), DefaultValue("png"), Description("The pictures' file format.")]
    public string? OutputFormat { get; init; }

    /// <summary>Quality of a JPEG or WebP, 0 to 100.</summary>
    [Range(0, 100), DefaultValue(90), Description("Quality of a JPEG or WebP.")]
    public int? OutputCompression { get; init; }

    /// <summary>The end user, for the operator's own bookkeeping; not read.</summary>
    [Description("Accepted and not read.")]
    public string? User { get; init; }
}

/// <summary>The body of <c>POST /v1/images/generations</c>: OpenAI's fields, and Muse's own beside them.</summary>
public sealed record ImagesRequest : PaintingFields
{
    /// <summary>url or b64_json.</summary>
    [AllowedValues("b64_json", "url"), DefaultValue("b64_json"), Description("How the pictures come: in the answer, or as links that work for an hour.")]
    public string? ResponseFormat { get; init; }

    /// <summary>auto or opaque: there are no transparent pictures here.</summary>
    [AllowedValues("auto", "opaque"), DefaultValue("auto"), Description("Pictures are opaque here; 'transparent' is refused.")]
    public string? Background { get; init; }

    /// <summary>Accepted, without meaning here.</summary>
    [AllowedValues("auto", "low"), Description("Without meaning here; the answer says so in 'warnings'.")]
    public string? Moderation { get; init; }

    /// <summary>Accepted, without meaning here.</summary>
    [AllowedValues("vivid", "natural"), Description("Without meaning here; the answer says so in 'warnings'.")]
    public string? Style { get; init; }

    /// <summary>Whether to answer with server-sent events.</summary>
    [DefaultValue(false), Description("Whether to answer with server-sent events: previews on the way, then the pictures.")]
    public bool? Stream { get; init; }

    /// <summary>How many previews of each picture to stream, 0 to 3.</summary>
    [Range(0, 3), DefaultValue(0), Description("How many previews of each picture to stream.")]
    public int? PartialImages { get; init; }
}

/// <summary>The body of <c>POST /v1/generations</c>.</summary>
public sealed record GenerationRequest : PaintingFields
{
    /// <summary>How many previews of each picture to make on the way, 0 to 100.</summary>
    [Range(0, 100), DefaultValue(0), Description("How many previews of each picture to make on the way.")]
    public int? Previews { get; init; }

    /// <summary>interactive or batch.</summary>
    [AllowedValues("interactive", "batch"), DefaultValue("interactive"), Description("Whether somebody waits for it. Batch jobs let interactive ones go before, without being starved.")]
    public string? Priority { get; init; }

    /// <summary>Seconds after which it is no longer worth beginning.</summary>
    [Range(1, 86_400), Description("Seconds after which it is no longer worth beginning: it then fails with deadline_exceeded.")]
    public int? DeadlineSeconds { get; init; }

    /// <summary>Where to announce the end of the job.</summary>
    [Description("Where to announce the end of the job by POST; only origins that the operator allows.")]
    public string? Webhook { get; init; }
}

/// <summary>The body of the original Muse's <c>POST /api/predict</c>.</summary>
public sealed record PredictRequest
{
    /// <summary>What to paint; "surprise me" paints a random prompt.</summary>
    [Description("What to paint; \"surprise me\" paints a random prompt.")]
    public string? Prompt { get; init; }

    /// <summary>The prompt's name in the first version of the original.</summary>
    [Description("The prompt's name in the original's first version.")]
    public string? Dream { get; init; }

    /// <summary>50 steps instead of 25.</summary>
    [DefaultValue(false), Description("50 steps instead of 25.")]
    public bool? HighQuality { get; init; }
}

/// <summary>Limits that no model changes.</summary>
static class Limits
{
    /// <summary>Largest seed: what JavaScript's numbers hold exactly.</summary>
    public const long MaxSeed = (1L << 53) - 1;
    public const int MaxCount = 10;
    public const float MaxGuidance = 50;
}
