namespace Muse.Queue;

/// <summary>A completed image, ready to be stored.</summary>
/// <param name="Image">Its bytes.</param>
/// <param name="Steps">The steps it took.</param>
/// <param name="StartedAt">When this or an earlier worker started it.</param>
/// <param name="PromptCutOff">The end of the prompt that the model could not read; null if it read all.</param>
/// <param name="Flagged">Whether the safety checker flagged it; it is black then.</param>
public sealed record CompletedImage(StoredImage Image, int Steps, DateTimeOffset StartedAt, string? PromptCutOff = null,
    bool Flagged = false);
