using System.Buffers;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.Features;

namespace Muse.Api;

/// <summary>A parsed body: a value, or an error.</summary>
/// <param name="Value">The value.</param>
/// <param name="Hash">A hash of the body's bytes, where requested.</param>
/// <param name="Error">Why it can't be read.</param>
public readonly record struct BodyOutcome<T>(T? Value, string? Hash, ApiError? Error) where T : class;

/// <summary>Reads JSON bodies. An error names the wrong field.</summary>
public static class RequestBody
{
    /// <summary>Largest body of routes that say nothing else, bytes.</summary>
    public const int MaxBytes = 1 << 20;

    /// <summary>Largest body of the request's route, bytes.</summary>
    public static long LimitOf(HttpContext context) =>
        context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? MaxBytes;

    static readonly byte[] ByteOrderMark = [0xEF, 0xBB, 0xBF];

    /// <summary>Reads the body.</summary>
    /// <param name="request">The request.</param>
    /// <param name="type">The type of the value.</param>
    /// <param name="withHash">Whether its hash is needed.</param>
    /// <exception cref="BadHttpRequestException">The body is larger than the server reads, or incomplete.</exception>
    public static async ValueTask<BodyOutcome<T>> ReadAsync<T>(HttpRequest request, JsonTypeInfo<T> type, bool withHash) where T : class
    {
        if (UnreadableEncoding(request) is { } unreadable)
            return new(null, null, unreadable);
        var limit = LimitOf(request.HttpContext);
        if (request.ContentLength > limit)
            return new(null, null, ApiError.TooLarge(limit));
        var reader = request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(request.HttpContext.RequestAborted);
            if (read.Buffer.Length > limit)
            {
                reader.AdvanceTo(read.Buffer.Start);
                return new(null, null, ApiError.TooLarge(limit));
            }
            if (!read.IsCompleted)
            {
                reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }
            var outcome = Parse(read.Buffer, type, withHash);
            reader.AdvanceTo(read.Buffer.End);
            return outcome;
        }
    }

    /// <summary>Parses a body that has been read.</summary>
    public static BodyOutcome<T> Parse<T>(ReadOnlySequence<byte> body, JsonTypeInfo<T> type, bool withHash) where T : class
    {
        var hash = withHash ? Hash(body) : null;
        if (body.Length >= 3 && body.Slice(0, 3).ToArray().AsSpan().SequenceEqual(ByteOrderMark))
            body = body.Slice(3);
        try
        {
            var reader = new Utf8JsonReader(body);
            var value = JsonSerializer.Deserialize(ref reader, type);
            if (reader.Read())
                return new(null, hash, ApiError.Invalid(null, "The body continues after its JSON object."));
            return value is null ? new(null, hash, ApiError.Invalid(null, "The body must be a JSON object, not null."))
                : new(value, hash, null);
        }
        catch (JsonException exception)
        {
            return new(null, hash, Explain(exception, type));
        }
    }

    static ApiError Explain(JsonException exception, JsonTypeInfo type)
    {
        // An inner exception means malformed JSON. Without one, a value has the wrong type.
        if (exception.InnerException is JsonException || exception.Path is not { } path)
        {
            return ApiError.Invalid(null, $"The body is not valid JSON: line {exception.LineNumber + 1}, byte "
                + $"{exception.BytePositionInLine + 1}.");
        }

        var field = type.Properties.FirstOrDefault(property => path.StartsWith($"$.{property.Name}", StringComparison.Ordinal)
            && (path.Length == property.Name.Length + 2 || path[property.Name.Length + 2] is '.' or '['));
        return field is null
            ? ApiError.Invalid(null, "The body must be a JSON object.")
            : ApiError.Invalid(field.Name, $"'{field.Name}' must be {Kind(field)}.");
    }

    static string Kind(JsonPropertyInfo field) => (Nullable.GetUnderlyingType(field.PropertyType) ?? field.PropertyType) switch
    {
        var type when type == typeof(int) => $"an integer{Range(field)}",
        var type when type == typeof(Int128) => $"an integer from -1 to {ulong.MaxValue}",
        var type when type == typeof(float) => $"a number{Range(field)}",
        var type when type == typeof(decimal) => "a number",
        var type when type == typeof(Dictionary<string, JsonElement>) => "an object",
        var type when type == typeof(double) => $"a number{Range(field)}",
        var type when type == typeof(bool) => "true or false",
        var type when type == typeof(InputFile) || type == typeof(IReadOnlyList<InputFile>) => "an image: a data: URL with Base64",
        _ => "a string of valid Unicode",
    };

    static string Range(JsonPropertyInfo field) =>
        field.AttributeProvider?.GetCustomAttributes(typeof(RangeAttribute), true) is [RangeAttribute range]
            ? string.Create(CultureInfo.InvariantCulture, $" from {range.Minimum} to {range.Maximum}")
            : "";

    static ApiError? UnreadableEncoding(HttpRequest request)
    {
        if (!request.HasJsonContentType())
            return new(415, "unsupported_media_type", "Send the body as 'Content-Type: application/json'.", "Content-Type");
        // JSON is UTF-8 (RFC 8259), and the parameter charset has no meaning for it. Only a client that names UTF-16 or UTF-32 means it.
        if (Microsoft.Net.Http.Headers.MediaTypeHeaderValue.TryParse(request.ContentType, out var media)
            && media.Charset.ToString().Trim('"').Replace("-", "") is var charset
            && (charset.StartsWith("utf16", StringComparison.OrdinalIgnoreCase)
                || charset.StartsWith("utf32", StringComparison.OrdinalIgnoreCase)))
        {
            return new(415, "unsupported_charset", "Send the body in UTF-8.", "Content-Type");
        }

        if (request.Headers.ContentEncoding.ToString() is not ("" or "identity"))
            return new(415, "unsupported_encoding", "Send the body without Content-Encoding.", "Content-Encoding");
        return null;
    }

    static string Hash(ReadOnlySequence<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var segment in body)
            hash.AppendData(segment.Span);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
