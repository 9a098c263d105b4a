using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>
/// Turns requests of AUTOMATIC1111's API into the fields of the jobs API. Values that the model does not support are replaced by the
/// nearest supported ones, with a warning.
/// </summary>
public sealed class Automatic1111Mapping(IOptions<ApiOptions> options)
{
    /// <summary>How the ids of these jobs begin, by which progress and interrupt find them.</summary>
    public const string IdPrefix = "sdapi_";

    /// <summary>Previews for <c>progress</c>.</summary>
    const int Previews = 5;

    const double DefaultStrength = 0.75;

    /// <summary>Options that a request may override with effect.</summary>
    static readonly string[] ReadOptions = ["sd_model_checkpoint", "samples_format", "emphasis"];

    /// <summary>
    /// Fields that are ignored without a warning: about saving files and restoring options on the server, and those that front ends add for
    /// their own use.
    /// </summary>
    static readonly string[] IgnoredWithoutWarning =
        ["save_images", "do_not_save_samples", "do_not_save_grid", "override_settings_restore_afterwards", "url", "auth"];

    /// <summary>Parses a request with the parser of all other requests.</summary>
    public ParsedRequest Parse(JobParser parser, Automatic1111Body body, ModelCard? card, JobOrigin origin, DecodedInput? input)
    {
        var warnings = new List<string>();
        var parsed = parser.Parse(Fields(body, card, input, warnings), card, origin, input);
        return parsed.Job is not { } job ? parsed : parsed with
        {
            Job = job with { Id = IdPrefix + job.Id, BeginWithin = options.Value.SynchronousDeadline },
            Warnings = [.. warnings, .. parsed.Warnings],
        };
    }

    static GenerationBody Fields(Automatic1111Body body, ModelCard? card, DecodedInput? input, List<string> warnings)
    {
        var count = Limited("batch_size", body.BatchSize ?? 1, 1, Limits.MaxCount, warnings)
            * Limited("n_iter", body.NIter ?? 1, 1, Limits.MaxCount, warnings);
        var steps = body.Steps is { } asked ? (int?)Limited("steps", asked, 1, card?.MaxSteps ?? 1000, warnings) : null;
        WarnOfFieldsWithoutEffect(body, warnings);
        if (card is null && ((body.Width ?? body.Height) is not null || body.SamplerName is { Length: > 0 }))
            warnings.Add("No worker has announced the model yet, so its own size and sampler were used.");
        return new()
        {
            Prompt = body.Prompt,
            NegativePrompt = body.NegativePrompt,
            PromptWeights = Option(body, "emphasis") is not "None",
            Model = CheckpointName(Option(body, "sd_model_checkpoint")),
            N = (int)Limited("batch_size × n_iter", count, 1, Limits.MaxCount, warnings),
            Size = Size(body, card, input is not null, warnings),
            Steps = steps,
            GuidanceScale = body.CfgScale is { } scale
                ? (float)Limited("cfg_scale", scale, 0, (decimal)Limits.MaxGuidance, warnings, whole: false) : null,
            Seed = Seed(body.Seed, warnings),
            Scheduler = Automatic1111Samplers.Choose(
                body.SamplerName is { Length: > 0 } name ? name : body.SamplerIndex, body.Scheduler, card, warnings),
            OutputFormat = Option(body, "samples_format")?.ToLowerInvariant() switch
            {
                "jpg" or "jpeg" => "jpeg",
                "webp" => "webp",
                _ => "png",
            },
            // A safety checker sees only completed images.
            Previews = card is { SafetyChecker: false } ? Math.Min(Previews, steps ?? card.DefaultSteps) : 0,
            Strength = input is null ? null : Strength(body.DenoisingStrength, steps ?? card?.DefaultSteps ?? 1, warnings),
        };
    }

    /// <summary>A checkpoint's name as front ends write it: without the folder, the extension and the hash.</summary>
    public static string? CheckpointName(string? title)
    {
        if (title is null or "None")
            return null;
        if (title.EndsWith(']') && title.LastIndexOf(" [", StringComparison.Ordinal) is > 0 and var hash)
            title = title[..hash];
        foreach (var extension in (string[])[".safetensors", ".ckpt", ".onnx"])
        {
            if (title.EndsWith(extension, StringComparison.OrdinalIgnoreCase))
                title = title[..^extension.Length];
        }
        return title[(title.LastIndexOfAny(['/', '\\']) + 1)..];
    }

    static string? Option(Automatic1111Body body, string name) =>
        body.OverrideSettings?.TryGetValue(name, out var value) == true && value.ValueKind == JsonValueKind.String
            ? Automatic1111Json.Text(value)
            : null;

    static string? Size(Automatic1111Body body, ModelCard? card, bool hasImage, List<string> warnings)
    {
        // Without a size, an input image keeps its aspect ratio. Before a worker has announced the model, the worker's default is used.
        if (card is null || (body.Width is null && body.Height is null))
            return null;
        const int Largest = 100_000;
        var width = (int)Math.Clamp(body.Width ?? card.DefaultWidth, 1, Largest);
        var height = (int)Math.Clamp(body.Height ?? card.DefaultHeight, 1, Largest);
        var size = Fits(width) && Fits(height) ? (width, height) : StandardSizes.Nearest(width, height, card);
        if (size != (width, height))
        {
            warnings.Add(string.Create(CultureInfo.InvariantCulture,
                $"The model does not support the size {width}x{height}; {size.Item1}x{size.Item2} was used instead."));
        }
        if (hasImage && body.Others?.TryGetValue("resize_mode", out var mode) == true && mode.ValueKind == JsonValueKind.Number)
            warnings.Add("'resize_mode' has no effect here: an image of another aspect ratio is cropped around its centre.");
        return string.Create(CultureInfo.InvariantCulture, $"{size.Item1}x{size.Item2}");

        bool Fits(int side) => side >= card.MinSize && side <= card.MaxSize && side % card.SizeMultiple == 0;
    }

    static Int128? Seed(decimal? seed, List<string> warnings)
    {
        if (seed is not { } number || number < 0)
            return null;
        if (number <= ulong.MaxValue)
            return (Int128)decimal.Truncate(number);
        warnings.Add("'seed' has more than 64 bits; a random one was used.");
        return null;
    }

    /// <summary>The strength; at least so much that one step runs.</summary>
    static double Strength(decimal? asked, int steps, List<string> warnings)
    {
        const double Rounding = 1 + 1e-9;
        var strength = (double)(asked ?? (decimal)DefaultStrength);
        var limited = Math.Clamp(strength, Math.Min(1, Rounding / steps), 1);
        if (limited != strength)
        {
            warnings.Add(string.Create(CultureInfo.InvariantCulture,
                $"'denoising_strength' was {strength}; {limited:0.###} was used: with {steps} steps, a smaller one runs none."));
        }
        return limited;
    }

    static decimal Limited(string field, decimal value, decimal min, decimal max, List<string> warnings, bool whole = true)
    {
        var limited = Math.Clamp(whole ? decimal.Truncate(value) : value, min, max);
        if (limited != value)
            warnings.Add(string.Create(CultureInfo.InvariantCulture, $"'{field}' was {value}; {limited} was used."));
        return limited;
    }

    /// <summary>Adds a warning that names the fields without effect, except those that are off or empty.</summary>
    static void WarnOfFieldsWithoutEffect(Automatic1111Body body, List<string> warnings)
    {
        const int Most = 50, LongestName = 60;
        var names = (body.Others ?? []).Where(field => !IgnoredWithoutWarning.Contains(field.Key) && field.Key != "resize_mode")
            .Concat((body.OverrideSettings ?? []).Where(option => !ReadOptions.Contains(option.Key))
                .Select(option => KeyValuePair.Create($"override_settings.{option.Key}", option.Value)))
            .Where(field => IsSet(field.Value))
            .Select(field => field.Key.Length <= LongestName ? field.Key : field.Key[..LongestName] + "…")
            .ToList();
        if (names.Count > 0)
            warnings.Add($"These fields have no effect here: {string.Join(", ", names.Take(Most))}{(names.Count > Most ? ", …" : "")}.");
    }

    static bool IsSet(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.Undefined or JsonValueKind.False => false,
        JsonValueKind.String => Automatic1111Json.Text(value) is not (null or ""),
        JsonValueKind.Array => value.GetArrayLength() > 0,
        JsonValueKind.Object => value.EnumerateObject().Any(),
        JsonValueKind.Number => value.GetRawText() is not ("0" or "0.0"),
        _ => true,
    };
}

/// <summary>Reads JSON values of requests.</summary>
static class Automatic1111Json
{
    /// <summary>A string's text; null where it is half a surrogate pair.</summary>
    public static string? Text(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
