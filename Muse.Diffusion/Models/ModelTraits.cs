namespace Muse.Diffusion;

/// <summary>What a model can do, read from its folder.</summary>
public sealed record ModelTraits
{
    /// <summary>The folder's name.</summary>
    public required string Name { get; init; }
    /// <summary>Tells its weights and settings apart from those of another model of the same name; empty where there are none (a simulated
    /// device).</summary>
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
    /// <summary>Width where none is asked for, pixels.</summary>
    public required int DefaultWidth { get; init; }
    /// <summary>Height where none is asked for, pixels.</summary>
    public required int DefaultHeight { get; init; }
    /// <summary>Steps where none are asked for.</summary>
    public required int DefaultSteps { get; init; }
    /// <summary>Most steps.</summary>
    public int MaxSteps { get; init; } = 150;
    /// <summary>Guidance scale where none is asked for.</summary>
    public required float DefaultGuidanceScale { get; init; }
    /// <summary>The highest timestep at which a request without a negative prompt is guided. Above it, while little but noise is to be
    /// seen, the prompt alone decides: there guidance costs a second row and makes pictures more alike, and worse (Kynkäänniemi et al.
    /// 2024, https://arxiv.org/abs/2404.07724). Infinite for guidance at every step.</summary>
    public float GuidanceMaxTimestep { get; init; } = float.PositiveInfinity;
    /// <summary>The samplers' names; the first is the folder's own.</summary>
    public required IReadOnlyList<string> Samplers { get; init; }
    /// <summary>Whether pictures pass a safety checker.</summary>
    public bool SafetyChecker { get; init; }

    /// <summary>Largest guidance scale.</summary>
    public const float MaxGuidanceScale = 50;

    /// <summary>What is wrong with a request for this model: the property of <see cref="GenerationRequest"/> and a sentence with what is
    /// allowed. Null when nothing is.</summary>
    public (string Property, string Message)? Check(GenerationRequest request)
    {
        if (string.IsNullOrWhiteSpace(request.Prompt))
            return (nameof(request.Prompt), "The prompt must not be empty.");
        if (WidthProblem(request.Width) is { } width)
            return (nameof(request.Width), width);
        if (HeightProblem(request.Height) is { } height)
            return (nameof(request.Height), height);
        if (request.Steps < 1 || request.Steps > MaxSteps)
            return (nameof(request.Steps), $"Steps must be between 1 and {MaxSteps}; {request.Steps} was asked for.");
        if (!(request.GuidanceScale >= 0 && request.GuidanceScale <= MaxGuidanceScale))
        {
            return (nameof(request.GuidanceScale),
                FormattableString.Invariant(
                $"The guidance scale must be between 0 and {MaxGuidanceScale}; {request.GuidanceScale} was asked for."));
        }

        if (request.Sampler is { } sampler && !Samplers.Contains(Diffusion.Samplers.CanonicalName(sampler)))
            return (nameof(request.Sampler), $"The model '{Name}' has no sampler '{sampler}'; it has {string.Join(", ", Samplers)}.");
        if (request.Previews < 0 || request.Previews > request.Steps)
        {
            return (nameof(
                request.Previews),
                $"There can be at most one preview for each of the {request.Steps} steps; {request.Previews} were asked for.");
        }

        return null;
    }

    internal string? WidthProblem(int value) => SizeProblem("Width", value, FixedWidth);

    internal string? HeightProblem(int value) => SizeProblem("Height", value, FixedHeight);

    string? SizeProblem(string name, int value, int? only)
    {
        only ??= MinSize == MaxSize ? MinSize : null;
        if (value == only || (only is null && value >= MinSize && value <= MaxSize && value % SizeMultiple == 0))
            return null;
        return only is not null
            ? $"{name} must be {only}; {value} was asked for."
            : $"{name} must be a multiple of {SizeMultiple} between {MinSize} and {MaxSize}; {value} was asked for.";
    }
}
