using System.Text.Json;
using Microsoft.ML.Tokenizers;

namespace Muse.Diffusion;

/// <summary>CLIP's tokenizer: composed, lower-cased text in words, each by byte-pair encoding with a mark at its end (Radford et al., "Learning Transferable Visual Models", 2021).</summary>
/// <remarks>Reads a Hugging Face tokenizer folder. Safe to share between threads.</remarks>
public sealed class ClipTokenizer
{
    const string EndOfWord = "</w>";

    readonly BpeTokenizer bpe;
    readonly Dictionary<string, int> special;

    ClipTokenizer(BpeTokenizer bpe, Dictionary<string, int> special, SpecialTokens tokens, IReadOnlyDictionary<string, int> vocabulary)
    {
        this.bpe = bpe;
        this.special = special;
        StartToken = vocabulary[tokens.Start];
        EndToken = vocabulary[tokens.End];
        PadToken = vocabulary[tokens.Pad];
        ContextLength = tokens.ContextLength;
        VocabularySize = vocabulary.Values.Max() + 1;
    }

    /// <summary>The id that begins a chunk.</summary>
    public int StartToken { get; }

    /// <summary>The id that ends a chunk's text.</summary>
    public int EndToken { get; }

    /// <summary>The id that fills the rest of a chunk: the end token's for Stable Diffusion 1, that of "!" for OpenCLIP's models.</summary>
    public int PadToken { get; }

    /// <summary>Ids in a chunk, with the start and end tokens: 77 unless tokenizer_config.json says otherwise (<c>model_max_length</c>).</summary>
    public int ContextLength { get; }

    /// <summary>One more than the largest id: the least that the text encoder's embedding must hold.</summary>
    public int VocabularySize { get; }

    /// <summary>Reads a tokenizer folder: <c>vocab.json</c>, <c>merges.txt</c>, and where they are there <c>tokenizer_config.json</c> and <c>special_tokens_map.json</c>.</summary>
    /// <exception cref="FileNotFoundException">vocab.json or merges.txt is missing.</exception>
    /// <exception cref="InvalidDataException">A file is not what it should be; the message names it and the problem.</exception>
    public static ClipTokenizer Load(string folder)
    {
        var vocabularyPath = Required(folder, "vocab.json");
        var mergesPath = Required(folder, "merges.txt");
        var vocabulary = ReadVocabulary(vocabularyPath);
        var merges = ReadMerges(mergesPath, vocabulary);
        var tokens = SpecialTokens.Read(folder);
        foreach (var (role, token) in new[] { ("start", tokens.Start), ("end", tokens.End), ("padding", tokens.Pad) })
        {
            if (!vocabulary.ContainsKey(token))
                throw new InvalidDataException($"{vocabularyPath} has no id for the {role} token '{token}'.");
        }

        var special = new Dictionary<string, int> { [tokens.Start] = vocabulary[tokens.Start], [tokens.End] = vocabulary[tokens.End] };
        var bpe = BpeTokenizer.Create(new BpeOptions(vocabulary) { Merges = merges, EndOfWordSuffix = EndOfWord, ByteLevel = true });
        return new ClipTokenizer(bpe, special, tokens, vocabulary);
    }

    /// <summary>The ids of a text, without start, end and padding.</summary>
    public int[] Encode(string text)
    {
        var lowered = Lowered(Composed(text));
        var ids = new List<int>();
        foreach (var word in ClipWords.Split(lowered, special.Keys))
            ids.AddRange(EncodeWord(lowered, word));
        return [.. ids];
    }

    /// <summary>A prompt in chunks for the text encoder. A word is not split between chunks unless it is longer than one.</summary>
    /// <param name="text">The prompt.</param>
    /// <param name="maxChunks">Most chunks; what doesn't fit is told in <see cref="PromptChunks.CutOff"/>.</param>
    public PromptChunks Chunk(string text, int maxChunks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxChunks, 1);
        var room = ContextLength - 2;
        text = Composed(text);
        var lowered = Lowered(text);
        var chunks = new List<List<int>> { new() };
        foreach (var word in ClipWords.Split(lowered, special.Keys))
        {
            var ids = EncodeWord(lowered, word);
            for (var rest = ids; rest.Length > 0;)
            {
                var free = room - chunks[^1].Count;
                // A word too long for any chunk fills what is left of this one; others go to the next whole.
                var taken = rest.Length <= free ? rest.Length : ids.Length > room ? free : 0;
                chunks[^1].AddRange(rest[..taken]);
                rest = rest[taken..];
                if (rest.Length == 0)
                    break;
                if (chunks.Count == maxChunks)
                    return Made(text[word.Start..].TrimEnd());
                chunks.Add([]);
            }
        }

        return Made(cutOff: null);

        PromptChunks Made(string? cutOff) => new([.. chunks.Select(Padded)], cutOff, Padded([]));
    }

    int[] Padded(List<int> ids)
    {
        var chunk = new int[ContextLength];
        Array.Fill(chunk, PadToken);
        chunk[0] = StartToken;
        ids.CopyTo(chunk, 1);
        chunk[ids.Count + 1] = EndToken;
        return chunk;
    }

    int[] EncodeWord(string text, ClipWords.Word word)
    {
        var span = text.AsSpan(word.Start, word.Length);
        return word.IsSpecial
            ? [special[span.ToString()]]
            : [.. bpe.EncodeToIds(span, considerPreTokenization: false, considerNormalization: false)];
    }

    /// <summary>The text as CLIP splits it, but for case: composed, only that the one capital whose small letter is two characters is two as well.</summary>
    static string Composed(string text) => CanonicalComposition.Compose(text).Replace("\u0130", "I\u0307", StringComparison.Ordinal);

    /// <summary>Lower case, character by character, so that places in the text stay.</summary>
    static string Lowered(string text) => text.ToLowerInvariant();

    static string Required(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        if (File.Exists(path))
            return path;
        throw new FileNotFoundException($"{path}: no such file; a CLIP tokenizer folder has vocab.json and merges.txt.", path);
    }

    static Dictionary<string, int> ReadVocabulary(string path)
    {
        Dictionary<string, int>? vocabulary;
        try
        {
            vocabulary = JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllBytes(path));
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{path} is not a JSON object of tokens and their ids: {problem.Message}", problem);
        }

        if (vocabulary is null or { Count: 0 })
            throw new InvalidDataException($"{path} has no tokens.");
        foreach (var letter in ByteLetters())
        {
            foreach (var token in new[] { $"{letter}", letter + EndOfWord })
            {
                if (!vocabulary.ContainsKey(token))
                    throw new InvalidDataException($"{path} has no id for '{token}'; every byte needs one, with and without {EndOfWord}.");
            }
        }

        return vocabulary;
    }

    static List<string> ReadMerges(string path, Dictionary<string, int> vocabulary)
    {
        var merges = new List<string>();
        var lines = File.ReadAllLines(path);
        for (var n = 0; n < lines.Length; n++)
        {
            if (lines[n].Length == 0 || (n == 0 && lines[n].StartsWith("#version", StringComparison.Ordinal)))
                continue;
            var parts = lines[n].TrimEnd().Split(' ');
            if (parts.Length != 2)
                throw new InvalidDataException($"{path}, line {n + 1}: '{lines[n]}' is not two tokens with a space between.");
            foreach (var token in new[] { parts[0], parts[1], parts[0] + parts[1] })
            {
                if (!vocabulary.ContainsKey(token))
                    throw new InvalidDataException($"{path}, line {n + 1}: vocab.json has no id for '{token}'.");
            }

            merges.Add($"{parts[0]} {parts[1]}");
        }

        return merges;
    }

    /// <summary>The letters that stand for the 256 bytes in the files: printable Latin-1 for itself, the rest from U+0100 on (GPT-2's table).</summary>
    static IEnumerable<char> ByteLetters()
    {
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
            yield return value is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ') ? (char)value : next++;
    }
}
