using System.Text.Json;

namespace Muse.Api;

/// <summary>
/// Writes bytes as a JSON string of Base64, in pieces, so that neither the string nor the whole response is ever in memory.
/// </summary>
static class Base64Json
{
    // Three bytes become four characters. A piece fits a few memory blocks of the connection.
    const int PieceBytes = 3 * 4096;
    const int FlushBytes = 8 * PieceBytes;

    public static ValueTask WriteAsync(Utf8JsonWriter json, string name, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        json.WritePropertyName(name);
        return WriteAsync(json, bytes, cancellation);
    }

    public static async ValueTask WriteAsync(Utf8JsonWriter json, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        var at = 0;
        do
        {
            var length = Math.Min(PieceBytes, bytes.Length - at);
            json.WriteBase64StringSegment(bytes.Span.Slice(at, length), isFinalSegment: at + length == bytes.Length);
            at += length;
            if (at % FlushBytes == 0)
                await json.FlushAsync(cancellation);
        }
        while (at < bytes.Length);
    }
}
