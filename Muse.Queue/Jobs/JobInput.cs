namespace Muse.Queue;

/// <summary>
/// The image that a job starts from, as its request describes it. Its pixels are stored in a hash of their own (<see cref="InputPixels"/>)
/// and have the job's width and height.
/// </summary>
public sealed record JobInput
{
    /// <summary>How far the run goes back towards noise, above 0 to 1.</summary>
    public required double Strength { get; init; }

    /// <summary>Whether a mask says which part is generated anew.</summary>
    public bool HasMask { get; init; }

    /// <summary>Width of the part of the image that is the caller's, from the left, pixels. The rest is padding and is cut off.</summary>
    public required int ContentWidth { get; init; }

    /// <summary>Height of the part of the image that is the caller's, from the top, pixels.</summary>
    public required int ContentHeight { get; init; }
}
