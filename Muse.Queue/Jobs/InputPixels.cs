using System.IO.Compression;

namespace Muse.Queue;

/// <summary>
/// The pixels of a job's input image and of its mask, compressed (zlib, lossless). Without compression they have 3 bytes a pixel and 1 byte
/// a pixel.
/// </summary>
/// <param name="Image">The image: rows from the top, red, green, blue.</param>
/// <param name="Mask">The mask: 0 keeps a pixel, 255 generates it anew; empty for none.</param>
public sealed record InputPixels(ReadOnlyMemory<byte> Image, ReadOnlyMemory<byte> Mask)
{
    /// <summary>Compresses pixels.</summary>
    /// <param name="image">3 bytes a pixel.</param>
    /// <param name="mask">1 byte a pixel; null for no mask.</param>
    public static InputPixels Compress(ReadOnlySpan<byte> image, byte[]? mask) =>
        new(Deflate(image), mask is null ? default : Deflate(mask));

    /// <summary>The pixels of the image.</summary>
    /// <param name="pixels">Width × height.</param>
    /// <exception cref="InvalidDataException">They are damaged, or of another number.</exception>
    public byte[] DecompressImage(int pixels) => Inflate(Image, 3 * pixels);

    /// <summary>The mask; null for none.</summary>
    /// <param name="pixels">Width × height.</param>
    /// <exception cref="InvalidDataException">It is damaged, or of another number of pixels.</exception>
    public byte[]? DecompressMask(int pixels) => Mask.IsEmpty ? null : Inflate(Mask, pixels);

    static byte[] Deflate(ReadOnlySpan<byte> bytes)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            zlib.Write(bytes);
        return compressed.ToArray();
    }

    static byte[] Inflate(ReadOnlyMemory<byte> compressed, int length)
    {
        using var zlib = new ZLibStream(new MemoryStream(compressed.ToArray()), CompressionMode.Decompress);
        var bytes = new byte[length];
        if (zlib.ReadAtLeast(bytes, length, throwOnEndOfStream: false) < length || zlib.ReadByte() >= 0)
            throw new InvalidDataException($"The stored input does not have {length} bytes.");
        return bytes;
    }
}
