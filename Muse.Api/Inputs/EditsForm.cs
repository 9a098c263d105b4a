using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Muse.Api;

/// <summary>Reads an edit from a form (<c>multipart/form-data</c>), as OpenAI's clients send it.</summary>
static class EditsForm
{
    static readonly string[] NotText =
        ["n", "steps", "guidance_scale", "seed", "output_compression", "partial_images", "strength", "stream", "prompt_weights"];

    /// <summary>Whether the body is such a form.</summary>
    public static bool Is(HttpRequest request) =>
        request.ContentType?.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Reads the form. Its text fields are read as the fields of the JSON body are, with the same errors.</summary>
    /// <param name="request">The request.</param>
    /// <param name="cancellation">The end of the request.</param>
    public static async Task<BodyOutcome<EditsRequest>> ReadAsync(HttpRequest request, CancellationToken cancellation)
    {
        var limit = RequestBody.LimitOf(request.HttpContext);
        if (request.ContentLength > limit)
            return new(null, null, ApiError.TooLarge(limit));
        IFormCollection form;
        try
        {
            form = await request.ReadFormAsync(new FormOptions
            {
                MultipartBodyLengthLimit = limit,
                ValueLengthLimit = RequestBody.MaxBytes,
                // Files stay in memory: the program needs no folder to write to.
                MemoryBufferThreshold = (int)Math.Min(limit, int.MaxValue),
            }, cancellation);
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException and not BadHttpRequestException)
        {
            // The reader reports a form that ends early as an IOException.
            return new(null, null, ApiError.Invalid(null, $"The form can't be read: {exception.Message}"));
        }

        var fields = TextFields(form);
        var body = RequestBody.Parse(new ReadOnlySequence<byte>(fields), ApiJson.Default.EditsRequest, withHash: false);
        if (body.Value is not { } edits)
            return body;
        var images = new List<InputFile>();
        InputFile? mask = null;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(fields);
        foreach (var file in form.Files)
        {
            var bytes = await BytesOfAsync(file, cancellation);
            hash.AppendData(SHA256.HashData(bytes));
            if (file.Name is "image" or "image[]" or "images" or "images[]")
                images.Add(new(bytes));
            else if (file.Name == "mask" && bytes.Length > 0)
                mask = new InputFile(bytes);
        }
        return new(edits with { Images = images.Count > 0 ? images : edits.InputImages, Mask = mask ?? edits.Mask },
            Convert.ToHexStringLower(hash.GetHashAndReset()), null);
    }

    /// <summary>The text fields as a JSON object. What JSON has as numbers or words is written as such where the text is one.</summary>
    static byte[] TextFields(IFormCollection form)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, values) in form)
            {
                var text = values.ToString();
                json.WritePropertyName(name.EndsWith("[]", StringComparison.Ordinal) ? name[..^2] : name);
                if (NotText.Contains(name) && IsNumberOrWord(text.Trim()))
                    json.WriteRawValue(text.Trim().ToLowerInvariant());
                else if (NotText.Contains(name) && text == "")
                    json.WriteNullValue();
                else
                    json.WriteStringValue(text);
            }
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    static bool IsNumberOrWord(string text)
    {
        if (text.Equals("true", StringComparison.OrdinalIgnoreCase) || text.Equals("false", StringComparison.OrdinalIgnoreCase))
            return true;
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.ValueKind == JsonValueKind.Number;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    static async Task<byte[]> BytesOfAsync(IFormFile file, CancellationToken cancellation)
    {
        var bytes = new byte[file.Length];
        await using var stream = file.OpenReadStream();
        await stream.ReadExactlyAsync(bytes, cancellation);
        return bytes;
    }
}
