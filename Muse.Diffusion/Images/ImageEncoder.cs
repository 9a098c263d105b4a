using System.Buffers;
using SkiaSharp;

namespace Muse.Diffusion;

/// <summary>Writes images as files.</summary>
public static class ImageEncoder
{
    /// <summary>Encodes an image.</summary>
    /// <param name="image">The image.</param>
    /// <param name="format">The file format.</param>
    /// <param name="quality">0 to 100, for the lossy formats.</param>
    /// <param name="metadata">What the file says of the image besides the pixels; null for nothing.</param>
    public static byte[] Encode(RgbImage image, ImageFormat format, int quality = 90, ImageMetadata? metadata = null)
    {
        var file = new ArrayBufferWriter<byte>();
        Encode(image, format, file, quality, metadata);
        return file.WrittenSpan.ToArray();
    }

    /// <summary>Encodes an image into a buffer.</summary>
    /// <param name="image">The image.</param>
    /// <param name="format">The file format.</param>
    /// <param name="file">The buffer.</param>
    /// <param name="quality">0 to 100, for the lossy formats.</param>
    /// <param name="metadata">What the file says of the image besides the pixels; null for nothing.</param>
    public static void Encode(RgbImage image, ImageFormat format, IBufferWriter<byte> file, int quality = 90,
        ImageMetadata? metadata = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(quality);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        if (format == ImageFormat.Png)
        {
            PngWriter.Write(image, metadata?.PngTexts() ?? [], file);
            return;
        }
        using var bitmap = ToBitmap(image);
        using var pixels = bitmap.PeekPixels();
        using var data = format switch
        {
            ImageFormat.Jpeg => pixels.Encode(new SKJpegEncoderOptions(quality)),
            ImageFormat.WebP => pixels.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossy, quality)),
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "There is no such format."),
        };
        if (data is null)
            throw new InvalidOperationException($"An image of {image.Width}x{image.Height} can't be written as {format}.");
        file.Write((metadata, format) switch
        {
            (null, _) => data.AsSpan(),
            (_, ImageFormat.Jpeg) => metadata.AddToJpeg(data.AsSpan()),
            _ => metadata.AddToWebP(data.AsSpan(), image.Width, image.Height),
        });
    }

    internal static SKBitmap ToBitmap(RgbImage image)
    {
        var bitmap = new SKBitmap(new SKImageInfo(image.Width, image.Height, SKColorType.Rgb888x, SKAlphaType.Opaque));
        ToRgbx(image.Pixels, bitmap.GetPixelSpan());
        return bitmap;
    }

    // Skia has no format of three bytes a pixel.
    static void ToRgbx(ReadOnlySpan<byte> rgb, Span<byte> rgbx)
    {
        for (int from = 0, to = 0; from < rgb.Length; from += 3, to += 4)
        {
            rgbx[to] = rgb[from];
            rgbx[to + 1] = rgb[from + 1];
            rgbx[to + 2] = rgb[from + 2];
            rgbx[to + 3] = 255;
        }
    }
}
