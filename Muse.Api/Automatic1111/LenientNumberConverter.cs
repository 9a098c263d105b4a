using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>Reads numbers as AUTOMATIC1111's API does: also as text, and true and false as 1 and 0. An empty text counts as
/// absent.</summary>
public sealed class LenientNumberConverter : JsonConverter<decimal?>
{
    /// <summary>Numbers beyond this are as good as this one, and within a decimal's range.</summary>
    const double Largest = 1e27;

    /// <inheritdoc/>
    public override decimal? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Null => null,
        JsonTokenType.True => 1,
        JsonTokenType.False => 0,
        JsonTokenType.Number => Parse(Encoding.UTF8.GetString(
            reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan)),
        JsonTokenType.String => reader.GetString()!.Trim().ToLowerInvariant() switch
        {
            "" => null,
            "true" => 1,
            "false" => 0,
            var text => Parse(text),
        },
        _ => throw new JsonException(),
    };

    static decimal Parse(string text)
    {
        if (decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return number;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var large) && !double.IsNaN(large))
            return (decimal)Math.Clamp(large, -Largest, Largest);
        throw new JsonException();
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, decimal? value, JsonSerializerOptions options)
    {
        if (value is { } number)
            writer.WriteNumberValue(number);
        else
            writer.WriteNullValue();
    }
}
