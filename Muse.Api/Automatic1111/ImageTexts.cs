using System.Buffers.Binary;
using System.Text;

namespace Muse.Api;

/// <summary>Reads the texts of image files: those of PNG files, and the Exif user comment of JPEG and WebP files.</summary>
/// <remarks>Sources: PNG specification, third edition, §11.3.3; Exif 3.0 (CIPA DC-008); WebP container specification. Compressed texts are
/// not read; no front end writes its parameters so.</remarks>
static class ImageTexts
{
    /// <summary>The keyword of the text that says how an image was made.</summary>
    public const string Parameters = "parameters";

    /// <summary>Longer texts, and more of them, are not read: no front end writes such.</summary>
    const int MaxTextBytes = 1 << 20, MaxTexts = 100;

    const ushort ExifIfd = 0x8769, UserComment = 0x9286;

    /// <summary>How an image was made; empty where its file does not say.</summary>
    public static string ParametersOf(ReadOnlySpan<byte> file) => Read(file).GetValueOrDefault(Parameters, "");

    /// <summary>The texts by their keywords. A damaged file has those that can be read.</summary>
    public static Dictionary<string, string> Read(ReadOnlySpan<byte> file)
    {
        if (file is [0x89, (byte)'P', (byte)'N', (byte)'G', ..])
            return Png(file);
        var exif = file is [0xFF, 0xD8, ..] ? JpegExif(file)
            : file.Length > 12 && file[..4].SequenceEqual("RIFF"u8) && file[8..12].SequenceEqual("WEBP"u8) ? WebPExif(file)
            : default;
        return Comment(exif) is { } comment ? new() { [Parameters] = comment } : [];
    }

    static Dictionary<string, string> Png(ReadOnlySpan<byte> file)
    {
        const int Signature = 8, Header = 8, Checksum = 4;
        var texts = new Dictionary<string, string>();
        for (var at = Signature; at + Header <= file.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32BigEndian(file[at..]);
            if (length > file.Length - at - Header)
                break;
            var type = file.Slice(at + 4, 4);
            var data = file.Slice(at + Header, (int)length);
            var end = data.IndexOf((byte)0);
            var isRead = end > 0 && length <= MaxTextBytes && texts.Count < MaxTexts;
            if (isRead && type.SequenceEqual("tEXt"u8))
            {
                texts[Encoding.Latin1.GetString(data[..end])] = Encoding.Latin1.GetString(data[(end + 1)..]);
            }
            else if (isRead && type.SequenceEqual("iTXt"u8) && data.Length > end + 3 && data[end + 1] == 0)
            {
                // After the keyword: whether it is compressed, how, the language, the keyword in it.
                var language = data[(end + 3)..];
                var translated = language[(language.IndexOf((byte)0) + 1)..];
                texts[Encoding.Latin1.GetString(data[..end])] = Encoding.UTF8.GetString(translated[(translated.IndexOf((byte)0) + 1)..]);
            }
            at += Header + (int)length + Checksum;
        }
        return texts;
    }

    static ReadOnlySpan<byte> JpegExif(ReadOnlySpan<byte> file)
    {
        const byte App1 = 0xE1, StartOfScan = 0xDA;
        for (var at = 2; at + 4 <= file.Length && file[at] == 0xFF && file[at + 1] != StartOfScan;)
        {
            var length = BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
            if (length < 2 || length > file.Length - at - 2)
                break;
            var segment = file.Slice(at + 4, length - 2);
            if (file[at + 1] == App1 && segment.StartsWith("Exif\0\0"u8))
                return segment[6..];
            at += 2 + length;
        }
        return default;
    }

    static ReadOnlySpan<byte> WebPExif(ReadOnlySpan<byte> file)
    {
        for (var at = 12; at + 8 <= file.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
            if (length > file.Length - at - 8)
                break;
            var chunk = file.Slice(at + 8, (int)length);
            if (file.Slice(at, 4).SequenceEqual("EXIF"u8))
                return chunk.StartsWith("Exif\0\0"u8) ? chunk[6..] : chunk;
            at += 8 + (int)length + (int)(length % 2);
        }
        return default;
    }

    /// <summary>The user comment of a TIFF block.</summary>
    static string? Comment(ReadOnlySpan<byte> tiff)
    {
        const int Code = 8;
        if (tiff.Length < 8)
            return null;
        var little = tiff.StartsWith("II"u8);
        if (Entry(tiff, Number(tiff, 4, little), ExifIfd, little) is not { } pointer
            || Entry(tiff, pointer.Value, UserComment, little) is not { } comment
            || comment.Count is <= Code or > MaxTextBytes || comment.Value > tiff.Length || comment.Count > tiff.Length - comment.Value)
        {
            return null;
        }
        var value = tiff.Slice((int)comment.Value, (int)comment.Count);
        var text = value[Code..];
        if (value.StartsWith("UNICODE\0"u8))
        {
            // Written big-endian by the web UI whatever the block's order is; others follow the block's.
            var bigEndian = !little || text[0] == 0;
            return (bigEndian ? Encoding.BigEndianUnicode : Encoding.Unicode).GetString(text);
        }
        return Encoding.UTF8.GetString(text).TrimEnd('\0');
    }

    /// <summary>The count and the value of an entry of a directory; null where there is none.</summary>
    static (uint Count, uint Value)? Entry(ReadOnlySpan<byte> tiff, uint directory, ushort tag, bool little)
    {
        const int Size = 12;
        if (directory > tiff.Length - 2)
            return null;
        var count = Short(tiff, (int)directory, little);
        for (var i = 0; i < count; i++)
        {
            var at = (int)directory + 2 + Size * i;
            if (at + Size > tiff.Length)
                return null;
            if (Short(tiff, at, little) == tag)
                return (Number(tiff, at + 4, little), Number(tiff, at + 8, little));
        }
        return null;
    }

    static ushort Short(ReadOnlySpan<byte> tiff, int at, bool little) =>
        little ? BinaryPrimitives.ReadUInt16LittleEndian(tiff[at..]) : BinaryPrimitives.ReadUInt16BigEndian(tiff[at..]);

    static uint Number(ReadOnlySpan<byte> tiff, int at, bool little) =>
        little ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[at..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[at..]);
}
