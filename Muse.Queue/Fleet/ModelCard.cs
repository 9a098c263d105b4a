namespace Muse.Queue;

/// <summary>What the served model can do, as its workers announce it. The API validates against it.</summary>
public sealed record ModelCard
{
    /// <summary>The model's name: its folder's.</summary>
    public required string Name { get; init; }
    /// <summary>Smallest width and height, pixels.</summary>
    public required int MinSize { get; init; }
    /// <summary>Largest width and height, pixels.</summary>
    public required int MaxSize { get; init; }
    /// <summary>Width and height are multiples of this, pixels.</summary>
    public required int SizeMultiple { get; init; }
    /// <summary>Width where none is asked for, pixels.</summary>
    public required int DefaultWidth { get; init; }
    /// <summary>Height where none is asked for, pixels.</summary>
    public required int DefaultHeight { get; init; }
    /// <summary>Steps where none are asked for.</summary>
    public required int DefaultSteps { get; init; }
    /// <summary>Most steps.</summary>
    public required int MaxSteps { get; init; }
    /// <summary>Guidance scale where none is asked for.</summary>
    public required float DefaultGuidanceScale { get; init; }
    /// <summary>The samplers' names; the first is the default.</summary>
    public required IReadOnlyList<string> Samplers { get; init; }
    /// <summary>Whether pictures pass a safety checker.</summary>
    public bool SafetyChecker { get; init; }
}
