namespace Muse.Queue;

/// <summary>What the served model supports, as its workers store it. The API validates requests against it.</summary>
public sealed record ModelCard
{
    /// <summary>The model's name, which is the name of its folder.</summary>
    public required string Name { get; init; }
    /// <summary>Smallest width and height, pixels.</summary>
    public required int MinSize { get; init; }
    /// <summary>Largest width and height, pixels.</summary>
    public required int MaxSize { get; init; }
    /// <summary>Width and height are multiples of this, pixels.</summary>
    public required int SizeMultiple { get; init; }
    /// <summary>Width where none is requested, pixels.</summary>
    public required int DefaultWidth { get; init; }
    /// <summary>Height where none is requested, pixels.</summary>
    public required int DefaultHeight { get; init; }
    /// <summary>Steps where none are requested.</summary>
    public required int DefaultSteps { get; init; }
    /// <summary>Maximum of steps.</summary>
    public required int MaxSteps { get; init; }
    /// <summary>Guidance scale where none is requested.</summary>
    public required float DefaultGuidanceScale { get; init; }
    /// <summary>The samplers' names; the first is the default.</summary>
    public required IReadOnlyList<string> Samplers { get; init; }
    /// <summary>Whether images pass a safety checker.</summary>
    public bool SafetyChecker { get; init; }
    /// <summary>Whether it can start from an image.</summary>
    public bool ImageInput { get; init; }
    /// <summary>Whether it only fills in the masked part of an image.</summary>
    public bool RequiresMask { get; init; }
    /// <summary>Strength for an image without a mask where none is requested.</summary>
    public double DefaultStrength { get; init; } = 0.6;
    /// <summary>Strength for an image with a mask where none is requested.</summary>
    public double DefaultMaskedStrength { get; init; } = 1;
    /// <summary>The sampler for an image with a mask where none is requested; null for the first of <see cref="Samplers"/>.</summary>
    public string? DefaultMaskedSampler { get; init; }
}
