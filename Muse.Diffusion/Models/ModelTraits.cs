namespace Muse.Diffusion;

/// <summary>What a model can do, read from its folder.</summary>
public sealed record ModelTraits
{
    /// <summary>The folder's name.</summary>
    public required string Name { get; init; }
    /// <summary>
    /// Tells its weights and settings apart from those of another model of the same name; empty where there are none (a simulated device).
    /// </summary>
    public string Content { get; init; } = "";
    /// <summary>The device it runs on, as a person would name it; a simulated one says so.</summary>
    public required string Device { get; init; }
    /// <summary>Smallest width and height, pixels.</summary>
    public required int MinSize { get; init; }
    /// <summary>Largest width and height, pixels.</summary>
    public required int MaxSize { get; init; }
    /// <summary>Width and height are multiples of this, pixels.</summary>
    public required int SizeMultiple { get; init; }
    /// <summary>The only width, pixels, where the graph fixes it; null where it may vary.</summary>
    public int? FixedWidth { get; init; }
    /// <summary>The only height, pixels, where the graph fixes it; null where it may vary.</summary>
    public int? FixedHeight { get; init; }
    /// <summary>Width where none is requested, pixels.</summary>
    public required int DefaultWidth { get; init; }
    /// <summary>Height where none is requested, pixels.</summary>
    public required int DefaultHeight { get; init; }
    /// <summary>Steps where none are requested.</summary>
    public required int DefaultSteps { get; init; }
    /// <summary>Most steps.</summary>
    public int MaxSteps { get; init; } = 150;
    /// <summary>Guidance scale where none is requested.</summary>
    public required float DefaultGuidanceScale { get; init; }
    /// <summary>
    /// The highest timestep at which a request without a negative prompt is guided. Above it, while little but noise is to be seen, the
    /// prompt alone decides: there guidance costs a second row and makes images more alike, and worse (Kynkäänniemi et al. 2024,
    /// https://arxiv.org/abs/2404.07724). Infinite for guidance at every step.
    /// </summary>
    public float GuidanceMaxTimestep { get; init; } = float.PositiveInfinity;
    /// <summary>The samplers' names; the first is the folder's own.</summary>
    public required IReadOnlyList<string> Samplers { get; init; }
    /// <summary>Whether images pass a safety checker.</summary>
    public bool SafetyChecker { get; init; }
    /// <summary>Whether it can start from an image: there is an image encoder.</summary>
    public bool ImageInput { get; init; }
    /// <summary>
    /// Whether it can do nothing else than fill in the masked part of an image (dedicated inpainting models): a request needs an image and
    /// a mask.
    /// </summary>
    public bool RequiresMask { get; init; }
    /// <summary>Strength for an image without a mask where none is requested.</summary>
    public double DefaultStrength { get; init; } = 0.6;
    /// <summary>Strength for an image with a mask where none is requested: at 1 the masked part starts from pure noise.</summary>
    public double DefaultMaskedStrength { get; init; } = 1;
    /// <summary>Sampler for an image with a mask where none is requested; null for the folder's own.</summary>
    public string? DefaultMaskedSampler { get; init; }
    /// <summary>Whether a run whose strength falls between two numbers of steps takes the larger (<see cref="StrengthRule"/>).</summary>
    public bool RoundsStepsUp { get; init; }

    /// <summary>Largest guidance scale.</summary>
    public const float MaxGuidanceScale = 50;

    /// <summary>The sampler of a request: the one that it asks for, or else the model's for such a request.</summary>
    public string SamplerOf(GenerationRequest request) =>
        request.Sampler ?? (request.Input?.Mask is null ? null : DefaultMaskedSampler) ?? Samplers[0];

    /// <summary>How many steps a run of this strength takes of so many; 0 where it leaves none.</summary>
    public int StepsOf(int steps, double strength) => StrengthRule.StepsToRun(steps, strength, RoundsStepsUp);

    /// <summary>
    /// What is wrong with a request for this model: the property of <see cref="GenerationRequest"/> or of its
    /// <see cref="Diffusion.ImageInput"/> and a sentence with what is allowed. Null when nothing is.
    /// </summary>
    public (string Property, string Message)? Check(GenerationRequest request)
    {
        if (string.IsNullOrWhiteSpace(request.Prompt))
            return (nameof(request.Prompt), "The prompt must not be empty.");
        if (WidthProblem(request.Width) is { } width)
            return (nameof(request.Width), width);
        if (HeightProblem(request.Height) is { } height)
            return (nameof(request.Height), height);
        if (request.Steps < 1 || request.Steps > MaxSteps)
            return (nameof(request.Steps), $"Steps must be between 1 and {MaxSteps}; {request.Steps} was requested.");
        if (!(request.GuidanceScale >= 0 && request.GuidanceScale <= MaxGuidanceScale))
        {
            return (nameof(request.GuidanceScale),
                FormattableString.Invariant(
                $"The guidance scale must be between 0 and {MaxGuidanceScale}; {request.GuidanceScale} was requested."));
        }

        if (request.Sampler is { } sampler && !Samplers.Contains(Diffusion.Samplers.CanonicalName(sampler)))
            return (nameof(request.Sampler), $"The model '{Name}' has no sampler '{sampler}'; it has {string.Join(", ", Samplers)}.");
        if (request.Previews < 0 || request.Previews > request.Steps)
        {
            return (nameof(
                request.Previews),
                $"There can be at most one preview for each of the {request.Steps} steps; {request.Previews} were requested.");
        }

        return CheckInput(request);
    }

    (string Property, string Message)? CheckInput(GenerationRequest request)
    {
        if (request.Input is not { } input)
        {
            return RequiresMask
                ? (nameof(request.Input), $"The model '{Name}' fills in the masked part of an image; it needs an image and a mask.")
                : null;
        }
        if (!ImageInput)
            return (nameof(request.Input), $"The model '{Name}' has no image encoder (vae_encoder); it generates from text alone.");
        var (width, height) = (request.Width, request.Height);
        if (input.Image.Width != width || input.Image.Height != height || input.Image.Pixels.Length != 3 * width * height)
        {
            return (nameof(request.Input),
                $"The input image is {input.Image.Width}x{input.Image.Height}; it must be {width}x{height}, as the requested image.");
        }
        if (input.Mask is null && RequiresMask)
            return (nameof(input.Mask), $"The model '{Name}' fills in the masked part of an image; it needs a mask.");
        if (input.Mask is { } mask && mask.Length != width * height)
            return (nameof(input.Mask), $"The mask has {mask.Length} values; it must have one for each of the {width}x{height} pixels.");
        if (input.Mask is { } all && !all.AsSpan().ContainsAnyExcept((byte)0))
            return (nameof(input.Mask), "The mask keeps every pixel; at least one must be generated anew.");
        return CheckStrength(request.Steps, input.Strength);
    }

    (string Property, string Message)? CheckStrength(int steps, double strength)
    {
        if (!(strength > 0 && strength <= 1))
        {
            return (nameof(Diffusion.ImageInput.Strength),
                FormattableString.Invariant($"The strength must be above 0 and at most 1; {strength} was requested."));
        }
        if (StepsOf(steps, strength) > 0)
            return null;
        var least = Math.Ceiling(1000.0 / steps) / 1000;
        return (nameof(Diffusion.ImageInput.Strength),
            FormattableString.Invariant($"Of {steps} steps a strength of {strength} leaves none; it must be at least {least}."));
    }

    internal string? WidthProblem(int value) => SizeProblem("Width", value, FixedWidth);

    internal string? HeightProblem(int value) => SizeProblem("Height", value, FixedHeight);

    string? SizeProblem(string name, int value, int? only)
    {
        only ??= MinSize == MaxSize ? MinSize : null;
        if (value == only || (only is null && value >= MinSize && value <= MaxSize && value % SizeMultiple == 0))
            return null;
        return only is not null
            ? $"{name} must be {only}; {value} was requested."
            : $"{name} must be a multiple of {SizeMultiple} between {MinSize} and {MaxSize}; {value} was requested.";
    }
}
