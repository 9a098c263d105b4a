namespace Muse.Diffusion;

/// <summary>An image in memory: rows from the top, three bytes a pixel (red, green, blue).</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Pixels"><c>3 * Width * Height</c> bytes.</param>
public sealed record RgbImage(int Width, int Height, byte[] Pixels);
