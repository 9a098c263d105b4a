namespace Muse.Diffusion;

/// <summary>An image in memory: rows from the top, three bytes a pixel (red, green, blue).</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Pixels"><c>3 * Width * Height</c> bytes.</param>
public sealed record RgbImage(int Width, int Height, byte[] Pixels)
{
    /// <summary>The part from the top left corner; the image itself where that is all of it.</summary>
    /// <param name="width">Pixels, 1 to <see cref="Width"/>.</param>
    /// <param name="height">Pixels, 1 to <see cref="Height"/>.</param>
    public RgbImage Crop(int width, int height)
    {
        if (width == Width && height == Height)
            return this;
        var pixels = new byte[3 * width * height];
        for (var row = 0; row < height; row++)
            Pixels.AsSpan(3 * Width * row, 3 * width).CopyTo(pixels.AsSpan(3 * width * row));
        return new(width, height, pixels);
    }
}
