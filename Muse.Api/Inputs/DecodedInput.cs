namespace Muse.Api;

/// <summary>A decoded input image, upright, and its mask.</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Pixels">Rows from the top, 4 bytes a pixel: red, green, blue, unused.</param>
/// <param name="Mask">One byte a pixel: 0 keeps it, 255 generates it anew; null for no mask.</param>
/// <param name="Warnings">What was not used of the files, each in a sentence.</param>
public sealed record DecodedInput(int Width, int Height, byte[] Pixels, byte[]? Mask, IReadOnlyList<string> Warnings);
