namespace Muse.Diffusion;

/// <summary>
/// Turns a prompt into tensors: tokens in chunks, the hidden states of one or more CLIP text encoders side by side, multiplied by the
/// prompt's weights, and the pooled embedding of the first chunk.
/// </summary>
sealed class ClipConditioner : PromptConditioner
{
    // About three hundred words. The rest is cut off, and the response says so.
    const int MaxChunks = 4;

    readonly List<(TextEncoder Encoder, ClipTokenizer Tokenizer, string? Pooled)> parts = [];
    readonly string hiddenStates;
    readonly int maxChunks;

    /// <param name="folder">The model's folder.</param>
    /// <param name="open">Loads the graph of a part.</param>
    /// <param name="tokens">How many tokens the denoiser's graph fixes; null when they may vary.</param>
    /// <param name="encoders">The text encoders.</param>
    /// <param name="hiddenStates">The name of the tensor with the states, tokens × width.</param>
    public ClipConditioner(ModelFolder folder, Func<string, Graph> open, int? tokens, IReadOnlyList<ClipPart> encoders, string hiddenStates)
    {
        this.hiddenStates = hiddenStates;
        try
        {
            foreach (var part in encoders)
            {
                var tokenizer = ClipTokenizer.Load(folder.PathOf(part.Tokenizer), folder.Relative(part.Tokenizer));
                CheckVocabulary(folder, part, tokenizer);
                var encoder = new TextEncoder(open(part.Encoder), tokenizer.ContextLength, part.Layer, part.Pooled);
                parts.Add((encoder, tokenizer, part.Pooled));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
        maxChunks = tokens is { } count ? Math.Max(1, count / ContextLength) : MaxChunks;
    }

    /// <summary>Whether an absent prompt's tensors are all zeros; else they are those of an empty text.</summary>
    public bool AbsentIsZeros { get; init; }

    int ContextLength => parts[0].Tokenizer.ContextLength;

    /// <inheritdoc/>
    public override Conditioning Encode(string? prompt, ConditioningShape? minimumShape) =>
        Encode([new WeightedText(prompt ?? "")], minimumShape, isAbsent: prompt is null);

    /// <inheritdoc/>
    public override Conditioning EncodeWeighted(WeightedPrompt prompt, ConditioningShape? minimumShape) =>
        Encode(prompt.Runs, minimumShape, isAbsent: false);

    Conditioning Encode(IReadOnlyList<WeightedText> prompt, ConditioningShape? minimumShape, bool isAbsent)
    {
        var chunks = parts.ConvertAll(part => part.Tokenizer.Chunk(prompt, maxChunks));
        var count = Math.Max(chunks.Max(c => c.Chunks.Count), minimumShape is null ? 1 : minimumShape.Tensors[0][0] / ContextLength);
        var encoded = parts.Select((part, i) => Encode(part.Encoder, chunks[i].PadTo(count))).ToList();

        var widths = encoded.ConvertAll(chunk => chunk[0].Hidden.Length / ContextLength);
        var states = new float[count * ContextLength * widths.Sum()];
        var at = 0;
        for (var token = 0; token < count * ContextLength; token++)
        {
            for (var part = 0; part < encoded.Count; part++)
            {
                var hidden = encoded[part][token / ContextLength].Hidden;
                hidden.AsSpan(token % ContextLength * widths[part], widths[part]).CopyTo(states.AsSpan(at));
                at += widths[part];
            }
        }
        var tensors = new List<ConditioningTensor> { new(hiddenStates, states, count * ContextLength, widths.Sum()) };
        for (var part = 0; part < encoded.Count; part++)
        {
            if (parts[part].Pooled is { } name)
                tensors.Add(new(name, encoded[part][0].Pooled!, encoded[part][0].Pooled!.Length));
        }
        if (isAbsent && AbsentIsZeros)
        {
            foreach (var tensor in tensors)
                Array.Clear(tensor.Values);
        }
        return new Conditioning(tensors, chunks.Select(c => c.CutOff).FirstOrDefault(cut => cut is not null));
    }

    /// <summary>The states of each chunk, weighted chunk by chunk. The pooled embedding has no weights.</summary>
    static List<(float[] Hidden, float[]? Pooled)> Encode(TextEncoder encoder, PromptChunks prompt)
    {
        var encoded = prompt.Chunks.Select(encoder.Encode).ToList();
        for (var chunk = 0; chunk < encoded.Count; chunk++)
            TokenWeights.Apply(encoded[chunk].Hidden, prompt.Weights[chunk]);
        return encoded;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (var (encoder, _, _) in parts)
            encoder.Dispose();
        parts.Clear();
    }

    static void CheckVocabulary(ModelFolder folder, ClipPart part, ClipTokenizer tokenizer)
    {
        var config = folder.Json($"{part.Encoder}/config.json");
        if (config.Whole("vocab_size", 1, int.MaxValue) is { } size && size < tokenizer.VocabularySize)
        {
            var problem = $"'vocab_size' is {size}, but {folder.Relative(part.Tokenizer)} has ids up to {tokenizer.VocabularySize - 1}.";
            throw new ModelFolderException(config.Name, problem);
        }
    }
}
