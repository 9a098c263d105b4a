using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Muse.Api;

/// <summary>An image file in a request: its bytes, or why it has none.</summary>
/// <param name="Bytes">The file.</param>
/// <param name="Problem">What is wrong, as the end of a sentence that begins with the field's name; null for nothing.</param>
public readonly record struct InputFile(ReadOnlyMemory<byte> Bytes, string? Problem = null)
{
    /// <summary>Reads a file as JSON has it: a <c>data:</c> URL, its Base64 alone, or an object with <c>image_url</c>.</summary>
    internal static InputFile Read(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
            return FromText(ref reader);
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new JsonException();
        InputFile? file = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var name = reader.GetString();
            reader.Read();
            if (name is "image_url" or "url" && reader.TokenType is JsonTokenType.String or JsonTokenType.StartObject)
                file = Read(ref reader);
            else if (name == "file_id" && reader.TokenType == JsonTokenType.String)
                file ??= new(default, "names a 'file_id': this server stores no files. Send the image as a data: URL.");
            else
                reader.Skip();
        }
        return file ?? new(default, "has no 'image_url'.");
    }

    static InputFile FromText(ref Utf8JsonReader reader)
    {
        // Some clients escape every slash of Base64.
        var text = reader.ValueIsEscaped ? System.Text.Encoding.UTF8.GetBytes(reader.GetString()!)
            : reader.HasValueSequence ? reader.ValueSequence.ToArray()
            : reader.ValueSpan;
        if (text.StartsWith("http://"u8) || text.StartsWith("https://"u8))
            return new(default, "is a remote address: this server fetches none. Send the image as a data: URL.");
        if (text.StartsWith("data:"u8))
        {
            var comma = text.IndexOf((byte)',');
            if (comma < 0 || !text[..comma].EndsWith(";base64"u8))
                return new(default, "must be a data: URL with Base64.");
            text = text[(comma + 1)..];
        }

        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        return Base64.DecodeFromUtf8(text, bytes, out _, out var written) == OperationStatus.Done
            ? new(bytes.AsMemory(0, written))
            : new(default, "is not valid Base64.");
    }
}

/// <summary>Reads an <see cref="InputFile"/>; an empty string counts as absent.</summary>
public sealed class InputFileConverter : JsonConverter<InputFile?>
{
    /// <inheritdoc/>
    public override InputFile? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Null || reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("")
            ? null
            : InputFile.Read(ref reader);

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, InputFile? value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Input files are only read.");
}

/// <summary>Reads one <see cref="InputFile"/> or an array of them.</summary>
public sealed class InputFilesConverter : JsonConverter<IReadOnlyList<InputFile>>
{
    /// <inheritdoc/>
    public override IReadOnlyList<InputFile>? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Null || reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(""))
            return null;
        if (reader.TokenType != JsonTokenType.StartArray)
            return [InputFile.Read(ref reader)];
        var files = new List<InputFile>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            files.Add(InputFile.Read(ref reader));
        return files;
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<InputFile> value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Input files are only read.");
}
