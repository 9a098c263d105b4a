namespace Muse.Diffusion;

/// <summary>
/// A tokenizer's special tokens and context length, from <c>tokenizer_config.json</c>, else <c>special_tokens_map.json</c>, else CLIP's
/// own.
/// </summary>
/// <param name="Start">Begins a chunk.</param>
/// <param name="End">Ends a chunk's text.</param>
/// <param name="Pad">Fills the rest of a chunk.</param>
/// <param name="ContextLength">Ids in a chunk, with start and end.</param>
sealed record SpecialTokens(string Start, string End, string Pad, int ContextLength)
{
    const int ClipContextLength = 77;

    /// <summary>Anything above this means "without limit" in the files of the transformers library.</summary>
    const int MaxContextLength = 4096;

    public static SpecialTokens Read(JsonFile config, JsonFile map)
    {
        var end = Token("eos_token") ?? "<|endoftext|>";
        var length = config.Number("model_max_length", 3, double.PositiveInfinity) is { } said and <= MaxContextLength ? (int)said
            : ClipContextLength;
        return new SpecialTokens(Token("bos_token") ?? "<|startoftext|>", end, Token("pad_token") ?? end, length);

        string? Token(string key) => config.Token(key) ?? map.Token(key);
    }
}
