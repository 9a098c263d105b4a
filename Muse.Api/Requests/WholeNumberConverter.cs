using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>Reads a whole number in any form that JSON has for it: 1, 1.0, 10e-1. An empty string counts as absent.</summary>
public abstract class WholeNumberConverter<T> : JsonConverter<T?> where T : struct, INumber<T>
{
    /// <inheritdoc/>
    public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Null || reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(""))
            return null;
        if (reader.TokenType != JsonTokenType.Number)
            throw new JsonException();
        var text = Encoding.UTF8.GetString(reader.HasValueSequence ? System.Buffers.BuffersExtensions.ToArray(reader.ValueSequence)
            : reader.ValueSpan);
        // A decimal has 28 digits, more than any 64-bit number needs.
        if (!decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || number != decimal.Truncate(number))
            throw new JsonException();
        try
        {
            return T.CreateChecked(number);
        }
        catch (OverflowException)
        {
            throw new JsonException();
        }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T? value, JsonSerializerOptions options)
    {
        if (value is { } number)
            writer.WriteRawValue(number.ToString(null, CultureInfo.InvariantCulture));
        else
            writer.WriteNullValue();
    }
}

/// <summary>Reads an <see cref="int"/>.</summary>
public sealed class WholeInt32Converter : WholeNumberConverter<int>;

/// <summary>Reads a seed: -1, or an unsigned number of 64 bits.</summary>
public sealed class SeedConverter : WholeNumberConverter<Int128>;
