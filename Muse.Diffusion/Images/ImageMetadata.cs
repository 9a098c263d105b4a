using System.Buffers.Binary;
using System.Text;

namespace Muse.Diffusion;

/// <summary>The metadata of an image file.</summary>
/// <param name="Parameters">How the image was made (<see cref="ImageParameters.Describe"/>); null for none.</param>
/// <param name="IsAiGenerated">Whether the file says that a trained model generated the image.</param>
/// <remarks>
/// The parameters are an Exif user comment in JPEG and WebP files, as popular user interfaces write it, and a text chunk in PNG files.
/// The mark is XMP with IPTC's digital source type. The encoded pixels do not change.
/// Sources: Exif 3.0 (CIPA DC-008); XMP specification, part 3; WebP container specification; IPTC's guidance on synthetic media.
/// </remarks>
public sealed record ImageMetadata(string? Parameters = null, bool IsAiGenerated = false)
{
    /// <summary>The keyword of XMP in a PNG file.</summary>
    internal const string PngXmpKeyword = "XML:com.adobe.xmp";

    const int VP8XBytes = 10;
    const byte XmpFlag = 0x04, ExifFlag = 0x08;

    /// <summary>A JPEG segment holds at most this many bytes besides its length.</summary>
    const int MaxSegment = ushort.MaxValue - 2;

    const string SourceType = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";

    const string GeneratedXmp = $"""
        <?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
        <x:xmpmeta xmlns:x="adobe:ns:meta/">
        <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
        <Iptc4xmpExt:DigitalSourceType>{SourceType}</Iptc4xmpExt:DigitalSourceType>
        </rdf:Description>
        </rdf:RDF>
        </x:xmpmeta>
        <?xpacket end="w"?>
        """;

    /// <summary>The text chunks of a PNG file.</summary>
    internal IEnumerable<(string Keyword, string Text)> PngTexts()
    {
        if (Parameters is not null)
            yield return ("parameters", Parameters);
        if (IsAiGenerated)
            yield return (PngXmpKeyword, GeneratedXmp);
    }

    /// <summary>Adds the metadata to a JPEG file, after its first segment.</summary>
    internal byte[] AddToJpeg(ReadOnlySpan<byte> file)
    {
        const int Start = 2; // The marker SOI.
        // JFIF's segment APP0 has to be the first one.
        var at = file[Start + 1] == 0xE0 ? Start + 2 + BinaryPrimitives.ReadUInt16BigEndian(file[(Start + 2)..]) : Start;
        return [.. file[..at], .. Segment("Exif\0\0"u8, Exif()), .. Segment("http://ns.adobe.com/xap/1.0/\0"u8, Xmp()), .. file[at..]];
    }

    /// <summary>A segment APP1. Nothing if there is no content, or more than a segment holds.</summary>
    static byte[] Segment(ReadOnlySpan<byte> name, byte[]? content)
    {
        if (content is null || name.Length + content.Length > MaxSegment)
            return [];
        var length = 2 + name.Length + content.Length;
        return [0xFF, 0xE1, (byte)(length >> 8), (byte)length, .. name, .. content];
    }

    /// <summary>Adds the metadata to a WebP file, which becomes one of the extended format.</summary>
    internal byte[] AddToWebP(ReadOnlySpan<byte> file, int width, int height)
    {
        const int Riff = 12, ChunkHeader = 8;
        var (exif, xmp) = (Exif(), Xmp());
        if (exif is null && xmp is null)
            return file.ToArray();
        var header = new byte[VP8XBytes];
        var chunks = file[Riff..];
        if (chunks[..4].SequenceEqual("VP8X"u8))
        {
            chunks.Slice(ChunkHeader, VP8XBytes).CopyTo(header);
            chunks = chunks[(ChunkHeader + VP8XBytes)..];
        }

        header[0] |= (byte)((exif is null ? 0 : ExifFlag) | (xmp is null ? 0 : XmpFlag));
        WriteUInt24(header.AsSpan(4), width - 1);
        WriteUInt24(header.AsSpan(7), height - 1);
        byte[] result = [.. file[..Riff], .. Chunk("VP8X"u8, header), .. chunks, .. Chunk("EXIF"u8, exif), .. Chunk("XMP "u8, xmp)];
        BinaryPrimitives.WriteInt32LittleEndian(result.AsSpan(4), result.Length - ChunkHeader);
        return result;
    }

    static byte[] Chunk(ReadOnlySpan<byte> name, byte[]? content)
    {
        if (content is null)
            return [];
        var chunk = new byte[8 + content.Length + content.Length % 2]; // Padded to an even length.
        name.CopyTo(chunk);
        BinaryPrimitives.WriteInt32LittleEndian(chunk.AsSpan(4), content.Length);
        content.CopyTo(chunk, 8);
        return chunk;
    }

    static void WriteUInt24(Span<byte> to, int value) => (to[0], to[1], to[2]) = ((byte)value, (byte)(value >> 8), (byte)(value >> 16));

    byte[]? Xmp() => IsAiGenerated ? Encoding.UTF8.GetBytes(GeneratedXmp) : null;

    /// <summary>A TIFF block, big-endian: IFD0 with the pointer to the Exif IFD, which holds the version and the user comment.</summary>
    byte[]? Exif()
    {
        const ushort Undefined = 7, Long = 4, ExifIfd = 0x8769, ExifVersion = 0x9000, UserComment = 0x9286;
        const int Ifd0 = 8, Ifd1 = Ifd0 + 2 + 12 + 4, CommentAt = Ifd1 + 2 + 2 * 12 + 4;
        if (Parameters is null)
            return null;
        byte[] comment = [.. "UNICODE\0"u8, .. Encoding.BigEndianUnicode.GetBytes(Parameters)];
        return
        [
            .. "MM\0*"u8, .. UInt32(Ifd0),
            .. UInt16(1), .. Entry(ExifIfd, Long, 1, UInt32(Ifd1)), .. UInt32(0),
            .. UInt16(2),
            .. Entry(ExifVersion, Undefined, 4, "0232"u8),
            .. Entry(UserComment, Undefined, comment.Length, UInt32(CommentAt)),
            .. UInt32(0),
            .. comment,
        ];
    }

    static byte[] Entry(ushort tag, ushort type, int count, ReadOnlySpan<byte> value) =>
        [.. UInt16(tag), .. UInt16(type), .. UInt32(count), .. value];

    static byte[] UInt16(int value) => [(byte)(value >> 8), (byte)value];

    static byte[] UInt32(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];
}
