using System.Text.Json;

namespace Muse.Diffusion;

/// <summary>What the files of a Hugging Face tokenizer folder say, for a byte-pair tokenizer of CLIP's kind.</summary>
/// <param name="Vocabulary">Every token's id.</param>
/// <param name="Merges">The pairs that are merged, the first first, with a space between.</param>
/// <param name="Special">The special tokens and the context length.</param>
/// <param name="Added">Tokens that were added to the vocabulary, the longest first.</param>
sealed record TokenizerFiles(Dictionary<string, int> Vocabulary, List<string> Merges, SpecialTokens Special,
    IReadOnlyList<AddedToken> Added)
{
    public const string EndOfWord = "</w>";

    /// <summary>
    /// Reads a folder: <c>vocab.json</c> and <c>merges.txt</c>, or <c>tokenizer.json</c>, and the files of special and added tokens where
    /// they are there.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="ModelFolderException">A file is missing or wrong.</exception>
    public static TokenizerFiles Read(string folder, string name)
    {
        var all = Json("tokenizer.json");
        var config = Json("tokenizer_config.json") ?? JsonFile.Empty($"{name}/tokenizer_config.json");
        var map = Json("special_tokens_map.json") ?? JsonFile.Empty($"{name}/special_tokens_map.json");
        var mergesPath = Path.Combine(folder, "merges.txt");
        var hasBoth = File.Exists(mergesPath) && File.Exists(Path.Combine(folder, "vocab.json"));
        Dictionary<string, int> vocabulary;
        List<string> merges;
        string vocabularyName;
        if (!hasBoth && all is not null)
        {
            var model = all.Object("model");
            if (model.Text("type") is { } type && type != "BPE")
                throw new ModelFolderException(all.Name, $"has a tokenizer of the type {type}; CLIP's is BPE.");
            (vocabulary, vocabularyName) = (ReadVocabulary(model.Object("vocab"), all.Name), all.Name);
            merges = ReadMerges(model.List("merges").Select((merge, n) => (Pair(merge), $"merge {n + 1}")), all.Name, all.Name, vocabulary);
        }
        else
        {
            vocabularyName = $"{name}/vocab.json";
            var file = Json("vocab.json") ?? throw Missing("vocab.json");
            vocabulary = ReadVocabulary(file, vocabularyName);
            var lines = File.Exists(mergesPath) ? File.ReadAllLines(mergesPath) : throw Missing("merges.txt");
            merges = ReadMerges(Lines(lines), $"{name}/merges.txt", "vocab.json", vocabulary);
        }

        var special = SpecialTokens.Read(config, map);
        foreach (var (role, token) in new[] { ("start", special.Start), ("end", special.End), ("padding", special.Pad) })
        {
            if (!vocabulary.ContainsKey(token) && !TryFindAdded(token, out _))
                throw new ModelFolderException(vocabularyName, $"has no id for the {role} token '{token}'.");
        }
        foreach (var token in new[] { special.Start, special.End, special.Pad })
        {
            if (TryFindAdded(token, out var id))
                vocabulary.TryAdd(token, id);
        }
        var added = Added().Where(token => token.Content.Length > 0 && token.Content != special.Start && token.Content != special.End)
            .DistinctBy(token => token.Content).OrderByDescending(token => token.Content.Length).ToList();
        return new TokenizerFiles(vocabulary, merges, special, added);

        JsonFile? Json(string file) => JsonFile.Read(Path.Combine(folder, file), $"{name}/{file}");

        ModelFolderException Missing(string file) => new($"{name}/{file}", "there is no such file, nor a tokenizer.json beside it.");

        IEnumerable<AddedToken> Added() =>
        [
            .. config.Object("added_tokens_decoder").Entries.Select(entry => AddedTokenOf(entry.Value, entry.Key, config.Name)),
            .. (all?.List("added_tokens") ?? []).Select(token => AddedTokenOf(token, null, all!.Name)),
            .. (Json("added_tokens.json")?.Entries ?? [])
                .Select(entry =>
                new AddedToken(entry.Key, Id(entry.Value, $"{name}/added_tokens.json", entry.Key), IgnoresCase: true, SingleWord: false)),
        ];

        bool TryFindAdded(string content, out int id)
        {
            id = Added().FirstOrDefault(token => token.Content == content)?.Id ?? -1;
            return id >= 0;
        }
    }

    static Dictionary<string, int> ReadVocabulary(JsonFile file, string name)
    {
        var vocabulary = new Dictionary<string, int>();
        foreach (var (token, value) in file.Entries)
            vocabulary[token] = Id(value, name, token);
        if (vocabulary.Count == 0)
            throw new ModelFolderException(name, "has no tokens.");
        foreach (var letter in ByteLetters())
        {
            foreach (var token in new[] { $"{letter}", letter + EndOfWord })
            {
                if (!vocabulary.ContainsKey(token))
                    throw new ModelFolderException(name, $"has no id for '{token}'; every byte needs one, with and without {EndOfWord}.");
            }
        }
        return vocabulary;
    }

    static int Id(JsonElement value, string name, string token) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var id) && id >= 0
            ? id
            : throw new ModelFolderException(name, $"the id of '{token}' is {value.GetRawText()}; it must be a whole number from 0.");

    static IEnumerable<(string[] Tokens, string Where)> Lines(string[] lines) => lines
        .Select((line, n) => (Line: line.TrimEnd(), Number: n + 1))
        .Where(line => line.Line.Length > 0 && !(line.Number == 1 && line.Line.StartsWith("#version", StringComparison.Ordinal)))
        .Select(line => (line.Line.Split(' '), $"line {line.Number}"));

    // Older files have "a b", newer ones ["a", "b"].
    static string[] Pair(JsonElement merge) => merge.ValueKind switch
    {
        JsonValueKind.String => merge.GetString()!.Split(' '),
        JsonValueKind.Array => [.. merge.EnumerateArray().Select(token => token.ToString())],
        _ => [merge.GetRawText()],
    };

    static List<string> ReadMerges(IEnumerable<(string[] Tokens, string Where)> pairs, string name, string vocabularyName,
        Dictionary<string, int> vocabulary)
    {
        var merges = new List<string>();
        foreach (var (tokens, where) in pairs)
        {
            if (tokens.Length != 2)
                throw new ModelFolderException(name, $"{where}: '{string.Join(' ', tokens)}' is not two tokens with a space between.");
            foreach (var token in new[] { tokens[0], tokens[1], tokens[0] + tokens[1] })
            {
                if (!vocabulary.ContainsKey(token))
                    throw new ModelFolderException(name, $"{where}: {vocabularyName} has no id for '{token}'.");
            }
            merges.Add($"{tokens[0]} {tokens[1]}");
        }
        return merges;
    }

    static AddedToken AddedTokenOf(JsonElement value, string? id, string name)
    {
        var token = value.ValueKind == JsonValueKind.Object ? new JsonFile(name, value)
            : throw new ModelFolderException(name, $"an added token is {value.GetRawText()}; it must be an object.");
        var known = id is null ? token.Whole("id", 0, int.MaxValue) : int.TryParse(id, out var parsed) ? parsed : null;
        return new AddedToken(
            token.Text("content") ?? "",
            known ?? throw new ModelFolderException(name, $"an added token has the id '{id}'; it must be a whole number from 0."),
            IgnoresCase: token.Flag("normalized") ?? true,
            SingleWord: token.Flag("single_word") ?? false);
    }

    /// <summary>
    /// The letters that stand for the 256 bytes in the files: printable Latin-1 for itself, the rest from U+0100 on (GPT-2's table).
    /// </summary>
    static IEnumerable<char> ByteLetters()
    {
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
            yield return value is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ') ? (char)value : next++;
    }
}
