using Microsoft.ML.Tokenizers;

namespace Muse.Diffusion;

/// <summary>
/// CLIP's tokenizer: composed, lower-cased text in words, each by byte-pair encoding with a mark at its end (Radford et al., "Learning
/// Transferable Visual Models", 2021).
/// </summary>
/// <remarks>Reads a Hugging Face tokenizer folder. Safe to share between threads.</remarks>
public sealed class ClipTokenizer
{
    readonly BpeTokenizer bpe;
    readonly Dictionary<string, int> special;
    readonly IReadOnlyList<AddedToken> added;

    ClipTokenizer(TokenizerFiles files)
    {
        var (vocabulary, tokens) = (files.Vocabulary, files.Special);
        bpe = BpeTokenizer.Create(new BpeOptions(vocabulary)
        {
            Merges = files.Merges,
            EndOfWordSuffix = TokenizerFiles.EndOfWord,
            ByteLevel = true,
        });
        special = new Dictionary<string, int> { [tokens.Start] = vocabulary[tokens.Start], [tokens.End] = vocabulary[tokens.End] };
        added = files.Added;
        StartToken = vocabulary[tokens.Start];
        EndToken = vocabulary[tokens.End];
        PadToken = vocabulary[tokens.Pad];
        ContextLength = tokens.ContextLength;
        VocabularySize = Math.Max(vocabulary.Values.Max(), added.Select(token => token.Id).DefaultIfEmpty().Max()) + 1;
    }

    /// <summary>The id that begins a chunk.</summary>
    public int StartToken { get; }

    /// <summary>The id that ends a chunk's text.</summary>
    public int EndToken { get; }

    /// <summary>The id that fills the rest of a chunk: the end token's for Stable Diffusion 1, that of "!" for OpenCLIP's models.</summary>
    public int PadToken { get; }

    /// <summary>
    /// Ids in a chunk, with the start and end tokens: 77 unless tokenizer_config.json says otherwise (<c>model_max_length</c>).
    /// </summary>
    public int ContextLength { get; }

    /// <summary>One more than the largest id: the least that the text encoder's embedding must hold.</summary>
    public int VocabularySize { get; }

    /// <summary>
    /// Reads a tokenizer folder: <c>vocab.json</c> and <c>merges.txt</c>, or <c>tokenizer.json</c>, with special and added tokens.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="name">What errors call it; null for its path.</param>
    /// <exception cref="ModelFolderException">A file is missing, or not what it should be; the message names it and the
    /// problem.</exception>
    public static ClipTokenizer Load(string folder, string? name = null) => new(TokenizerFiles.Read(folder, name ?? folder));

    /// <summary>The ids of a text, without start, end and padding.</summary>
    public int[] Encode(string text)
    {
        text = Composed(text);
        var lowered = Lowered(text);
        var ids = new List<int>();
        foreach (var word in Words(text, lowered))
            ids.AddRange(EncodeWord(lowered, word));
        return [.. ids];
    }

    /// <summary>A prompt in chunks for the text encoder. A word is not split between chunks unless it is longer than one.</summary>
    /// <param name="text">The prompt.</param>
    /// <param name="maxChunks">Most chunks; what doesn't fit is in <see cref="PromptChunks.CutOff"/>.</param>
    public PromptChunks Chunk(string text, int maxChunks) => Chunk([new WeightedText(text)], maxChunks);

    /// <summary>The same for runs of text with weights. Each run is split in words by itself.</summary>
    /// <param name="runs">The prompt.</param>
    /// <param name="maxChunks">Most chunks; what doesn't fit is in <see cref="PromptChunks.CutOff"/>.</param>
    public PromptChunks Chunk(IReadOnlyList<WeightedText> runs, int maxChunks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxChunks, 1);
        var room = ContextLength - 2;
        var chunks = new List<List<(int Id, float Weight)>> { new() };
        for (var run = 0; run < runs.Count; run++)
        {
            var text = Composed(runs[run].Text);
            var lowered = Lowered(text);
            // After the last chunk that is allowed, BREAK begins none.
            if (runs[run].StartsChunk && chunks.Count < maxChunks)
                chunks.Add([]);
            foreach (var word in Words(text, lowered))
            {
                var ids = EncodeWord(lowered, word);
                for (var rest = ids; rest.Length > 0;)
                {
                    var free = room - chunks[^1].Count;
                    // A word too long for any chunk fills what is left of this one; others go to the next whole.
                    var taken = rest.Length <= free ? rest.Length : ids.Length > room ? free : 0;
                    foreach (var id in rest[..taken])
                        chunks[^1].Add((id, runs[run].Weight));
                    rest = rest[taken..];
                    if (rest.Length == 0)
                        break;
                    if (chunks.Count == maxChunks)
                        return Result(From(run, word.Start));
                    chunks.Add([]);
                }
            }
        }

        // A BREAK at the end begins no chunk.
        if (chunks.Count > 1 && chunks[^1].Count == 0)
            chunks.RemoveAt(chunks.Count - 1);
        return Result(cutOff: null);

        PromptChunks Result(string? cutOff) => new([.. chunks.Select(Padded)], [.. chunks.Select(Weights)], cutOff, Padded([]));

        string From(int run, int start) =>
            string.Concat(runs.Skip(run).Select((rest, i) => i > 0 ? rest.Text : Composed(rest.Text)[start..])).TrimEnd();
    }

    int[] Padded(List<(int Id, float Weight)> tokens)
    {
        var chunk = new int[ContextLength];
        Array.Fill(chunk, PadToken);
        chunk[0] = StartToken;
        for (var i = 0; i < tokens.Count; i++)
            chunk[i + 1] = tokens[i].Id;
        chunk[tokens.Count + 1] = EndToken;
        return chunk;
    }

    float[] Weights(List<(int Id, float Weight)> tokens)
    {
        var weights = new float[ContextLength];
        Array.Fill(weights, 1);
        for (var i = 0; i < tokens.Count; i++)
            weights[i + 1] = tokens[i].Weight;
        return weights;
    }

    /// <summary>Added tokens wherever they stand, the longest first, and the words between them.</summary>
    IEnumerable<ClipWords.Word> Words(string text, string lowered)
    {
        var start = 0;
        for (var at = 0; at < text.Length && added.Count > 0; at++)
        {
            if (AddedAt(text, lowered, at) is not { } token)
                continue;
            foreach (var word in Between(start, at))
                yield return word;
            yield return new ClipWords.Word(at, token.Content.Length, token.Id);
            start = at + token.Content.Length;
            at = start - 1;
        }
        foreach (var word in Between(start, text.Length))
            yield return word;

        IEnumerable<ClipWords.Word> Between(int from, int to) =>
            ClipWords.Split(lowered[from..to], special).Select(word => word with { Start = from + word.Start });
    }

    AddedToken? AddedAt(string text, string lowered, int at)
    {
        foreach (var token in added)
        {
            if (token.IsAt(text, lowered, at))
                return token;
        }
        return null;
    }

    int[] EncodeWord(string text, ClipWords.Word word) => word.Id is { } id
        ? [id]
        : [.. bpe.EncodeToIds(text.AsSpan(word.Start, word.Length), considerPreTokenization: false, considerNormalization: false)];

    /// <summary>
    /// The text as CLIP splits it, but for case: composed, and the one capital whose small letter is two characters is two as well.
    /// </summary>
    static string Composed(string text) => CanonicalComposition.Compose(text).Replace("\u0130", "I\u0307", StringComparison.Ordinal);

    /// <summary>Lower case, character by character, so that positions in the text stay.</summary>
    static string Lowered(string text) => text.ToLowerInvariant();
}
