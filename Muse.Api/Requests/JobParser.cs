using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>A parsed request: a valid job, or an error.</summary>
/// <param name="Job">The job.</param>
/// <param name="Warnings">Fields that have no effect or another one than requested, each in a sentence.</param>
/// <param name="Error">What is wrong.</param>
/// <param name="Input">The pixels of the job's input image; null where it has none.</param>
public readonly record struct ParsedRequest(
    ImageJob? Job, IReadOnlyList<string> Warnings, ApiError? Error, InputPixels? Input = null)
{
    /// <summary>A request with an error.</summary>
    public static implicit operator ParsedRequest(ApiError error) => new(null, [], error);
}

/// <summary>The facts of a job that are not in the body of its request.</summary>
/// <param name="Owner">The caller.</param>
/// <param name="At">When it was received.</param>
/// <param name="TraceParent">The request's span.</param>
public readonly record struct JobOrigin(string Owner, DateTimeOffset At, string? TraceParent);

/// <summary>
/// Turns each HTTP shape into a valid <see cref="ImageJob"/>, or returns an error with the wrong field and what is allowed.
/// </summary>
/// <remarks>
/// Before a worker has announced the model, general limits apply, and fields that are left out stay null for the worker to fill in.
/// </remarks>
public sealed partial class JobParser
{
    readonly ApiOptions options;
    readonly ModelNames models;
    readonly Regex? refusedWords;
    readonly WebhookRules webhooks;

    /// <summary>Reads what it needs from the options.</summary>
    public JobParser(IOptions<ApiOptions> options, ModelNames models, WebhookRules webhooks)
    {
        this.options = options.Value;
        this.webhooks = webhooks;
        this.models = models;
        var words = ApiOptions.Split(this.options.RefusedWords);
        if (words.Length > 0)
        {
            refusedWords = new($@"(?<!\w)(?:{string.Join('|', words.Select(Regex.Escape))})(?!\w)",
                RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
        }
    }

    /// <summary>Parses OpenAI's shape.</summary>
    public ParsedRequest Parse(ImagesRequest request, ModelCard? card, JobOrigin origin, DecodedInput? input = null)
    {
        var validation = new FieldValidation();
        var warnings = new List<string>();
        var stream = request.Stream ?? false;
        var partials = (int)(validation.Integer("partial_images", request.PartialImages, 0, 3) ?? 0);
        validation.OneOf("response_format", request.ResponseFormat, "b64_json", "url");
        validation.OneOf("background", request.Background, "auto", "opaque");
        if (validation.OneOf("moderation", request.Moderation, "auto", "low") is not null)
            warnings.Add("'moderation' has no meaning here and was ignored.");
        if (validation.OneOf("style", request.Style, "vivid", "natural") is not null)
            warnings.Add("'style' has no meaning here and was ignored.");
        if (partials > 0 && !stream)
            warnings.Add("'partial_images' has no meaning without 'stream' and was ignored.");
        if (request.FrameCount is not null)
            validation.Fail("frame_count", "'frame_count' is not supported: this server generates no animations.");
        if (request.FrameDurationMs is not null)
            validation.Fail("frame_duration_ms", "'frame_duration_ms' is not supported: this server generates no animations.");
        if (request is EditsRequest edits)
            validation.OneOf("input_fidelity", edits.InputFidelity, "high", "low");
        var job = Parse(request, card, origin, validation, warnings, input) with
        {
            Previews = stream ? Previews(partials, "partial_images", card, warnings) : 0,
            BeginWithin = options.SynchronousDeadline,
        };
        return validation.Error is { } error ? error : new ParsedRequest(job, warnings, null, Pixels(job, input));
    }

    /// <summary>Parses the jobs API's shape.</summary>
    public ParsedRequest Parse(GenerationBody request, ModelCard? card, JobOrigin origin, DecodedInput? input = null)
    {
        var validation = new FieldValidation();
        var priority = validation.OneOf("priority", request.Priority, "interactive", "batch");
        var warnings = new List<string>();
        var job = Parse(request, card, origin, validation, warnings, input) with
        {
            Previews = Previews((int)(validation.Integer("previews", request.Previews, 0, 100) ?? 0), "previews", card, warnings),
            Priority = priority == "batch" ? JobPriority.Batch : JobPriority.Interactive,
            BeginWithin = validation.Integer("deadline_seconds", request.DeadlineSeconds, 1, 86_400) is { } seconds
                ? TimeSpan.FromSeconds(seconds) : null,
            Webhook = request.Webhook is { Length: > 0 } webhook ? webhooks.Check(webhook, validation) : null,
        };
        return validation.Error is { } error ? error : new ParsedRequest(job, warnings, null, Pixels(job, input));
    }

    /// <summary>Parses the original Muse's shape.</summary>
    public ParsedRequest Parse(PredictRequest request, ModelCard? card, JobOrigin origin)
    {
        var validation = new FieldValidation();
        var prompt = request.Prompt ?? request.Dream;
        if (prompt is not null && prompt.Trim().Equals("surprise me", StringComparison.OrdinalIgnoreCase))
            prompt = RandomPrompts.Next();
        var steps = request.HighQuality == true ? 50 : 25;
        var fields = new GenerationBody { Prompt = prompt, Steps = card is null ? steps : Math.Min(steps, card.MaxSteps) };
        var warnings = new List<string>();
        var job = Parse(fields, card, origin, validation, warnings) with { BeginWithin = options.SynchronousDeadline };
        return validation.Error is { } error ? error : new ParsedRequest(job, warnings, null);
    }

    ImageJob Parse(ImageRequestFields fields, ModelCard? card, JobOrigin origin, FieldValidation validation, List<string> warnings,
        DecodedInput? input = null)
    {
        Model(fields.Model, validation);
        var (width, height) = Size(fields.Size, card, validation, warnings);
        JobInput? jobInput = null;
        if (input is not null)
            (jobInput, width, height) = Input(fields, input, card, (width, height), validation, warnings);
        else if (card is { RequiresMask: true })
            validation.Fail("image", $"The model '{models.Served}' fills in the masked part of an image: 'image' and 'mask' are missing.");
        var format = validation.OneOf("output_format", fields.OutputFormat, "png", "jpeg", "webp");
        // Clients send 100 for the best quality, which a PNG always has.
        if ((format is null or "png") && fields.OutputCompression is not (null or 100))
            validation.Fail("output_compression", "'output_compression' is for jpeg and webp: a PNG loses nothing.");
        var steps = (int?)validation.Integer("steps", fields.Steps, 1, card?.MaxSteps ?? 1000);
        var weights = fields.PromptWeights ?? false;
        var quality = validation.OneOf("quality", fields.Quality, "auto", "standard", "low", "medium", "high", "hd", "xhigh", "max");
        return new ImageJob
        {
            Id = JobIds.New(),
            Owner = origin.Owner,
            CreatedAt = origin.At,
            TraceParent = origin.TraceParent,
            Prompt = Text("prompt", fields.Prompt, required: true, weights, validation, warnings),
            NegativePrompt = Text("negative_prompt", fields.NegativePrompt, required: false, weights, validation, warnings),
            PromptWeights = weights,
            Count = (int)(validation.Integer("n", fields.N, 1, Limits.MaxCount) ?? 1),
            Width = width,
            Height = height,
            Steps = steps ?? Steps(quality, card),
            Input = jobInput,
            GuidanceScale = validation.Number("guidance_scale", fields.GuidanceScale, 0, Limits.MaxGuidance) ?? card?.DefaultGuidanceScale,
            Sampler = Sampler(fields.Scheduler, card, masked: input?.Mask is not null, validation),
            Seed = Seed(fields.Seed, validation),
            Format = format switch { "jpeg" => OutputFormat.Jpeg, "webp" => OutputFormat.Webp, _ => OutputFormat.Png },
            Quality = (int)(validation.Integer("output_compression", fields.OutputCompression, 0, 100) ?? 90),
        };
    }

    /// <summary>How the job uses its input image, and the size at which the model works on it.</summary>
    (JobInput?, int?, int?) Input(ImageRequestFields fields, DecodedInput input, ModelCard? card, (int? Width, int? Height) size,
        FieldValidation validation, List<string> warnings)
    {
        warnings.AddRange(input.Warnings);
        if (card is null)
        {
            validation.Fail(ApiError.NoModelYet);
            return default;
        }
        if (!card.ImageInput)
            validation.Fail("image", $"The model '{models.Served}' has no image encoder: it generates from text alone.");
        if (card.RequiresMask && input.Mask is null)
            validation.Fail("mask", $"The model '{models.Served}' fills in the masked part of an image: 'mask' is missing.");
        var strength = fields.InputStrength ?? (input.Mask is null ? card.DefaultStrength : card.DefaultMaskedStrength);
        if (!(strength > 0 && strength <= 1))
        {
            validation.Fail("strength", string.Create(CultureInfo.InvariantCulture,
                $"'strength' must be above 0 and at most 1; it is {strength}."));
        }
        var placement = fields.Size is null or "" or "auto" || size is not ({ } width, { } height)
            ? InputFitting.Place(input.Width, input.Height, card)
            : new InputPlacement(width, height, width, height);
        return (new JobInput
        {
            Strength = strength,
            HasMask = input.Mask is not null,
            ContentWidth = placement.ContentWidth,
            ContentHeight = placement.ContentHeight,
        }, placement.Width, placement.Height);
    }

    static InputPixels? Pixels(ImageJob job, DecodedInput? input) =>
        input is not null && job is { Input: { } placed, Width: { } width, Height: { } height }
            ? InputFitting.Fit(input, new(width, height, placed.ContentWidth, placed.ContentHeight))
            : null;

    /// <summary>A safety checker sees only completed images, so a model with one makes no previews.</summary>
    static int Previews(int count, string field, ModelCard? card, List<string> warnings)
    {
        if (count == 0 || card is not { SafetyChecker: true })
            return count;
        warnings.Add($"'{field}' was ignored: the safety checker of this model sees only completed images.");
        return 0;
    }

    /// <summary>The seed, a number of 64 bits. The queue keeps it as a signed number with the same bits.</summary>
    static long Seed(Int128? value, FieldValidation validation)
    {
        if (value is not { } seed || seed == -1)
            return JobIds.NewSeed();
        if (seed < 0 || seed > ulong.MaxValue)
        {
            validation.Fail("seed", $"'seed' must be from -1 to {ulong.MaxValue}; it is {seed}.");
            return 0;
        }

        return unchecked((long)(ulong)seed);
    }

    void Model(string? name, FieldValidation validation)
    {
        if (name is { Length: > 0 } && !models.Contains(name))
        {
            validation.Fail(new ApiError(404, "model_not_found", $"There is no model '{Shorten(name)}' here; there is '{models.Served}'.",
                "model"));
        }
    }

    string Text(string field, string? value, bool required, bool weights, FieldValidation validation, List<string> warnings)
    {
        if (required && string.IsNullOrWhiteSpace(value))
        {
            validation.Fail(field, $"'{field}' is missing or empty.");
        }
        else if (value is { } text)
        {
            if (text.Length > options.MaxPromptLength)
            {
                validation.Fail(field, string.Create(CultureInfo.InvariantCulture,
                    $"'{field}' must have at most {options.MaxPromptLength} characters; it has {text.Length}."));
            }
            else if (text.Contains('\0'))
            {
                validation.Fail(field, $"'{field}' must not have a NUL character.");
            }
            else if (refusedWords?.IsMatch(text) == true)
            {
                validation.Fail(ApiError.RefusedWord(field));
            }
            else
            {
                warnings.AddRange(PromptSyntax.Warnings(field, text, weights));
            }
        }

        return value ?? "";
    }

    static (int?, int?) Size(string? size, ModelCard? card, FieldValidation validation, List<string> warnings)
    {
        if (size is null or "" or "auto")
            return (card?.DefaultWidth, card?.DefaultHeight);
        var (min, max, multiple) = card is null ? (64, 2048, 8) : (card.MinSize, card.MaxSize, card.SizeMultiple);
        var match = SizePattern().Match(size);
        if (match.Success
            && int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var width)
            && int.TryParse(match.Groups[2].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var height))
        {
            if (Fits(width) && Fits(height))
                return (width, height);
            if (card is not null && StandardSizes.Contains(width, height))
            {
                var nearest = StandardSizes.Nearest(width, height, card);
                warnings.Add(string.Create(CultureInfo.InvariantCulture,
                    $"The model does not support the size {width}x{height}; {nearest.Width}x{nearest.Height} was used instead."));
                return nearest;
            }
        }

        var automatic = card is null ? "" : string.Create(CultureInfo.InvariantCulture, $" ({card.DefaultWidth}x{card.DefaultHeight})");
        validation.Fail("size", string.Create(CultureInfo.InvariantCulture,
            $"'size' must be 'auto'{automatic} or WIDTHxHEIGHT, each a multiple of {multiple} from {min} to {max} pixels; it is "
                + $"'{Shorten(size)}'."));
        return (null, null);

        bool Fits(int side) => side >= min && side <= max && side % multiple == 0;
    }

    static int? Steps(string? quality, ModelCard? card) => card is null ? null : quality switch
    {
        "low" => Math.Max(1, card.DefaultSteps / 2),
        "high" or "hd" or "xhigh" or "max" => Math.Min(card.DefaultSteps * 2, card.MaxSteps),
        _ => card.DefaultSteps,
    };

    static string? Sampler(string? name, ModelCard? card, bool masked, FieldValidation validation)
    {
        name = name is "" ? null : name;
        if (card is not null && name is not null && !card.Samplers.Contains(name))
            validation.Fail("scheduler", $"'scheduler' must be one of {string.Join(", ", card.Samplers)}.");
        else if (name is { Length: > 64 })
            validation.Fail("scheduler", "'scheduler' must have at most 64 characters.");
        return name ?? (masked ? card?.DefaultMaskedSampler : null) ?? (card?.Samplers is [var first, ..] ? first : null);
    }

    static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "…";

    [GeneratedRegex("^([0-9]{1,5})x([0-9]{1,5})$", RegexOptions.CultureInvariant)]
    private static partial Regex SizePattern();
}
