using System.Buffers.Binary;
using System.Text;

namespace Muse.Diffusion;

/// <summary>Text inside PNG files (PNG specification, third edition, §11.3.3).</summary>
static class PngText
{
    const int SignatureLength = 8;
    const int ChunkOverhead = 12;

    static readonly uint[] CrcTable = MakeCrcTable();

    /// <summary>Puts a text chunk behind the header: <c>tEXt</c> where Latin-1 can say it, otherwise <c>iTXt</c>.</summary>
    public static byte[] Insert(ReadOnlySpan<byte> png, string keyword, string text)
    {
        int header = SignatureLength + ChunkOverhead + BinaryPrimitives.ReadInt32BigEndian(png[SignatureLength..]);
        var chunk = text.All(c => c is '\n' or (>= ' ' and <= '~') or (>= '\u00a0' and <= '\u00ff'))
            ? Chunk("tEXt"u8, [.. Encoding.Latin1.GetBytes(keyword), 0, .. Encoding.Latin1.GetBytes(text)])
            : Chunk("iTXt"u8, [.. Encoding.Latin1.GetBytes(keyword), 0, /* not compressed */ 0, 0, /* language */ 0, /* keyword in it */ 0, .. Encoding.UTF8.GetBytes(text)]);
        return [.. png[..header], .. chunk, .. png[header..]];
    }

    static byte[] Chunk(ReadOnlySpan<byte> type, ReadOnlySpan<byte> content)
    {
        var chunk = new byte[ChunkOverhead + content.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        type.CopyTo(chunk.AsSpan(4));
        content.CopyTo(chunk.AsSpan(8));
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + content.Length), Crc(chunk.AsSpan(4, 4 + content.Length)));
        return chunk;
    }

    static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
            crc = CrcTable[(byte)(crc ^ b)] ^ (crc >> 8);
        return ~crc;
    }

    static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (uint n = 0; n < table.Length; n++)
        {
            uint c = n;
            for (int bit = 0; bit < 8; bit++)
                c = (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            table[n] = c;
        }
        return table;
    }
}
