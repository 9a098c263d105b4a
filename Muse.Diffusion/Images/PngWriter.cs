using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Numerics.Tensors;
using System.Text;

namespace Muse.Diffusion;

/// <summary>Writes PNG files (PNG specification, third edition) quickly: encoding must not take as long as generating.</summary>
/// <remarks>
/// After the Sub filter nearly all there is to gain lies in runs and in short codes, not in matches from afar: zlib's run-length strategy
/// takes a quarter of the time of Skia's encoder (libpng, level 1) for files a little smaller.
/// </remarks>
static class PngWriter
{
    static readonly ZLibCompressionOptions Runs =
        new() { CompressionLevel = 1, CompressionStrategy = ZLibCompressionStrategy.RunLengthEncoding };

    // Large arrays are dear to the garbage collector: each thread keeps the one it writes into.
    [ThreadStatic]
    static MemoryStream? scratch;

    const int Pixel = 3;
    const byte EightBits = 8, TrueColour = 2, SubFilter = 1;

    /// <summary>The image as a file.</summary>
    /// <param name="image">The image.</param>
    /// <param name="texts">Texts to put into the file (§11.3.3), by their keywords; <c>tEXt</c> where Latin-1 can say it, otherwise
    /// <c>iTXt</c>, as XMP always is.</param>
    public static byte[] Write(RgbImage image, IEnumerable<(string Keyword, string Text)> texts)
    {
        var file = scratch ??= new MemoryStream();
        file.SetLength(0);
        file.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, image.Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), image.Height);
        (header[8], header[9]) = (EightBits, TrueColour);
        Chunk(file, "IHDR"u8, chunk => chunk.Write(header));
        foreach (var (keyword, text) in texts)
            Text(file, keyword, text);
        Chunk(file, "IDAT"u8, chunk => Compress(image, chunk));
        Chunk(file, "IEND"u8, static _ => { });
        return file.ToArray();
    }

    static void Text(MemoryStream file, string keyword, string text)
    {
        byte[] word = [.. Encoding.Latin1.GetBytes(keyword), 0];
        if (keyword != ImageMetadata.PngXmpKeyword && text.All(c => c is '\n' or (>= ' ' and <= '~') or (>= '\u00a0' and <= '\u00ff')))
        {
            Chunk(file, "tEXt"u8, chunk => chunk.Write([.. word, .. Encoding.Latin1.GetBytes(text)]));
        }
        else
        {
            Chunk(file, "iTXt"u8, chunk =>
                chunk.Write([.. word, /* not compressed */ 0, 0, /* language */ 0, /* keyword in it */ 0,
                .. Encoding.UTF8.GetBytes(text)]));
        }
    }

    static void Compress(RgbImage image, Stream chunk)
    {
        using var zlib = new ZLibStream(chunk, Runs, leaveOpen: true);
        var length = Pixel * image.Width;
        var filtered = new byte[1 + length];
        filtered[0] = SubFilter;
        for (var row = 0; row < image.Height; row++)
        {
            var pixels = image.Pixels.AsSpan(row * length, length);
            pixels[..Pixel].CopyTo(filtered.AsSpan(1));
            TensorPrimitives.Subtract(pixels[Pixel..], pixels[..^Pixel], filtered.AsSpan(1 + Pixel));
            zlib.Write(filtered);
        }
    }

    static void Chunk(MemoryStream file, ReadOnlySpan<byte> type, Action<Stream> write)
    {
        Span<byte> number = stackalloc byte[4];
        var start = file.Position;
        file.Write(number);
        file.Write(type);
        write(file);
        BinaryPrimitives.WriteInt32BigEndian(number, (int)(file.Position - start - 8));
        number.CopyTo(file.GetBuffer().AsSpan((int)start));
        BinaryPrimitives.WriteUInt32BigEndian(number,
            Crc32.HashToUInt32(file.GetBuffer().AsSpan((int)start + 4, (int)(file.Position - start - 4))));
        file.Write(number);
    }
}
