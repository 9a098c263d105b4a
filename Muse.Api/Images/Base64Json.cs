using System.Text.Json;

namespace Muse.Api;

/// <summary>Writes bytes as a JSON string of Base64, piece by piece, so that neither the string nor the whole answer is ever held in memory.</summary>
static class Base64Json
{
    // Three bytes become four characters; a piece is what fits a few of the connection's blocks.
    const int Piece = 3 * 4096;
    const int FlushEvery = 8 * Piece;

    public static async ValueTask WriteAsync(Utf8JsonWriter json, string name, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        json.WritePropertyName(name);
        var at = 0;
        do
        {
            var length = Math.Min(Piece, bytes.Length - at);
            json.WriteBase64StringSegment(bytes.Span.Slice(at, length), isFinalSegment: at + length == bytes.Length);
            at += length;
            if (at % FlushEvery == 0)
                await json.FlushAsync(cancellation);
        }
        while (at < bytes.Length);
    }
}
