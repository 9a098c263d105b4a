namespace Muse.Diffusion;

/// <summary>A decoded image.</summary>
/// <param name="Image">The image; black when flagged.</param>
/// <param name="Flagged">Whether the model's safety checker flagged it.</param>
public readonly record struct DecodedImage(RgbImage Image, bool Flagged);
