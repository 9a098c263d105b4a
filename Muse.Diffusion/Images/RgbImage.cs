using System.Collections.Concurrent;

namespace Muse.Diffusion;

/// <summary>An image in memory: rows from the top, three bytes a pixel (red, green, blue).</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Pixels"><c>3 * Width * Height</c> bytes.</param>
public sealed record RgbImage(int Width, int Height, byte[] Pixels)
{
    /// <summary>As many as a batch and its decoder hold at a time.</summary>
    const int MaxRecycled = 24;

    static readonly ConcurrentQueue<byte[]> Recycled = new();

    /// <summary>Makes an image whose pixels are all to be written, in the memory of a recycled one where it has that size.</summary>
    internal static RgbImage Create(int width, int height)
    {
        var length = 3 * width * height;
        var pixels = Recycled.TryDequeue(out var recycled) && recycled.Length == length ? recycled
            : GC.AllocateUninitializedArray<byte>(length);
        return new(width, height, pixels);
    }

    /// <summary>Gives the pixels' memory to the next image. This image and what shares its pixels must not be used any more.</summary>
    public void Recycle()
    {
        if (Recycled.Count < MaxRecycled)
            Recycled.Enqueue(Pixels);
    }

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
