using System.Text.Json;

namespace Muse.Diffusion;

/// <summary>A tokenizer's special tokens and context length, from <c>tokenizer_config.json</c>, else <c>special_tokens_map.json</c>, else CLIP's own.</summary>
sealed record SpecialTokens(string Start, string End, string Pad, int ContextLength)
{
    const int ClipContextLength = 77;

    /// <summary>More than this is no length but a library's "without limit".</summary>
    const int MaxContextLength = 4096;

    public static SpecialTokens Read(string folder)
    {
        using var config = Parse(Path.Combine(folder, "tokenizer_config.json"));
        using var map = Parse(Path.Combine(folder, "special_tokens_map.json"));
        var end = Token("eos_token") ?? "<|endoftext|>";
        return new SpecialTokens(Token("bos_token") ?? "<|startoftext|>", end, Token("pad_token") ?? end, Length());

        string? Token(string key) => Content(config, key) ?? Content(map, key);

        int Length()
        {
            if (config is null || !config.RootElement.TryGetProperty("model_max_length", out var value) || value.ValueKind == JsonValueKind.Null)
                return ClipContextLength;
            if (value.ValueKind != JsonValueKind.Number || value.GetDouble() < 3)
                throw new InvalidDataException($"{Path.Combine(folder, "tokenizer_config.json")}: model_max_length is {value.GetRawText()}; Muse takes a number from 3.");
            return value.GetDouble() > MaxContextLength ? ClipContextLength : (int)value.GetDouble();
        }
    }

    /// <summary>A token given as text or as an object with its <c>content</c>.</summary>
    static string? Content(JsonDocument? document, string key)
    {
        if (document is null || !document.RootElement.TryGetProperty(key, out var value))
            return null;
        if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out var content))
            value = content;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    static JsonDocument? Parse(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            var document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
            throw new InvalidDataException($"{path} is not a JSON object.");
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path} is not JSON: {problem.Message}", problem);
        }
    }
}
