using System.Text.Json;
using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Text;

/// <summary>Tokenizer folders with a small vocabulary: bytes, a few merges and the special tokens.</summary>
public sealed class TokenizerFolderTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("muse-tokenizer-").FullName;

    public TokenizerFolderTests()
    {
        Write("merges.txt", "#version: 0.2\nc a\nca t</w>\n");
        WriteVocabulary(SmallVocabulary());
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_small_vocabulary_encodes_by_its_merges_and_falls_back_to_bytes()
    {
        var vocabulary = SmallVocabulary();
        var tokenizer = ClipTokenizer.Load(folder);

        Assert.Equal([vocabulary["cat</w>"], vocabulary["ca"], vocabulary["r</w>"]], tokenizer.Encode("Cat car"));
        Assert.Equal([vocabulary["Ã"], vocabulary["©</w>"]], tokenizer.Encode("é"));
        Assert.Equal(vocabulary.Count, tokenizer.VocabularySize);
    }

    [Fact]
    public void Padding_is_the_end_token_unless_the_folder_says_otherwise()
    {
        var vocabulary = SmallVocabulary();
        Assert.Equal(vocabulary["<|endoftext|>"], ClipTokenizer.Load(folder).PadToken);

        Write("special_tokens_map.json", """{ "pad_token": { "content": "!", "lstrip": false } }""");
        var mapped = ClipTokenizer.Load(folder);
        Assert.Equal(vocabulary["!"], mapped.PadToken);
        Assert.Equal([mapped.StartToken, vocabulary["cat</w>"], mapped.EndToken, vocabulary["!"]], mapped.Chunk("cat", 1).Chunks[0][..4]);

        Write("tokenizer_config.json", """{ "pad_token": "?", "model_max_length": 16 }""");
        var configured = ClipTokenizer.Load(folder);
        Assert.Equal(vocabulary["?"], configured.PadToken);
        Assert.Equal(16, configured.Chunk("", 1).Chunks[0].Length);
    }

    [Fact]
    public void A_length_without_limit_means_CLIP_s_own()
    {
        Write("tokenizer_config.json", """{ "model_max_length": 1000000000000000019884624838656 }""");
        Assert.Equal(77, ClipTokenizer.Load(folder).ContextLength);
    }

    [Theory]
    [InlineData("""["c a", "ca t</w>"]""")]
    [InlineData("""[["c", "a"], ["ca", "t</w>"]]""")]
    public void A_tokenizer_json_alone_gives_the_same_ids(string merges)
    {
        var expected = ClipTokenizer.Load(folder).Encode("Cat car é, 7 cats");
        File.Delete(Path.Combine(folder, "vocab.json"));
        File.Delete(Path.Combine(folder, "merges.txt"));
        Write("tokenizer.json", $$"""
            {
              "version": "1.0",
              "added_tokens": [],
              "model": { "type": "BPE", "vocab": {{JsonSerializer.Serialize(SmallVocabulary())}}, "merges": {{merges}} }
            }
            """);
        Assert.Equal(expected, ClipTokenizer.Load(folder).Encode("Cat car é, 7 cats"));
    }

    [Fact]
    public void A_tokenizer_json_may_keep_its_special_tokens_among_the_added_ones()
    {
        var vocabulary = SmallVocabulary();
        var (start, end) = (vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]);
        vocabulary.Remove("<|startoftext|>");
        vocabulary.Remove("<|endoftext|>");
        File.Delete(Path.Combine(folder, "vocab.json"));
        Write("tokenizer.json", $$"""
            {
              "added_tokens": [
                { "id": {{start}}, "content": "<|startoftext|>", "special": true },
                { "id": {{end}}, "content": "<|endoftext|>", "special": true }
              ],
              "model": { "type": "BPE", "vocab": {{JsonSerializer.Serialize(vocabulary)}}, "merges": [] }
            }
            """);
        var tokenizer = ClipTokenizer.Load(folder);
        Assert.Equal((start, end, end), (tokenizer.StartToken, tokenizer.EndToken, tokenizer.PadToken));
    }

    [Theory]
    [InlineData("""{"model": {"type": "Unigram"}}""", "tokenizer.json: has a tokenizer of the type Unigram; CLIP's is BPE.")]
    [InlineData("""{"model": {"type": "BPE", "merges": [["a", "b", "c"]], "vocab": {}}}""", "tokenizer.json: has no tokens.")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": "b"}}}""",
        "tokenizer.json: the id of 'a' is \"b\"; it must be a whole number from 0.")]
    [InlineData("{", "tokenizer.json: is not JSON:")]
    public void A_tokenizer_json_that_is_wrong_is_named_with_the_problem(string content, string message)
    {
        File.Delete(Path.Combine(folder, "vocab.json"));
        Write("tokenizer.json", content);
        Assert.StartsWith(Path.Combine(folder, message), Assert.Throws<ModelFolderException>(() => ClipTokenizer.Load(folder)).Message);
    }

    [Theory]
    [InlineData("added_tokens.json", """{"<cat-toy>": 600, "<cat-toy-2>": 601}""")]
    [InlineData("tokenizer_config.json",
        """{"added_tokens_decoder": {"600": {"content": "<cat-toy>", "special": false}, "601": {"content": "<cat-toy-2>"}}}""")]
    [InlineData("tokenizer.json", """{"added_tokens": [{"id": 600, "content": "<cat-toy>"}, {"id": 601, "content": "<cat-toy-2>"}]}""")]
    public void Added_words_are_matched_whole_wherever_they_stand_the_longest_first(string name, string content)
    {
        var vocabulary = SmallVocabulary();
        Write(name, content);
        var tokenizer = ClipTokenizer.Load(folder);
        Assert.Equal([vocabulary["cat</w>"], 600, vocabulary["cat</w>"]], tokenizer.Encode("cat <cat-toy> cat"));
        Assert.Equal([vocabulary["cat</w>"], 601, vocabulary["cat</w>"]], tokenizer.Encode("cat<CAT-TOY-2>cat"));
        Assert.Equal([600, 600], tokenizer.Encode("<cat-toy><cat-toy>"));
        Assert.Equal(602, tokenizer.VocabularySize);
        Assert.Equal([tokenizer.StartToken, 600, tokenizer.EndToken], tokenizer.Chunk("<cat-toy>", 1).Chunks[0][..3]);
        Assert.Null(tokenizer.Chunk("<cat-toy>", 1).CutOff);
    }

    [Fact]
    public void Added_words_say_themselves_whether_case_and_neighbours_count()
    {
        var vocabulary = SmallVocabulary();
        Write("tokenizer_config.json", """
            {
              "added_tokens_decoder": {
                "600": { "content": "SKS", "normalized": false },
                "601": { "content": "ca", "single_word": true }
              }
            }
            """);
        var tokenizer = ClipTokenizer.Load(folder);
        Assert.Equal([600], tokenizer.Encode("SKS"));
        Assert.DoesNotContain(600, tokenizer.Encode("sks"));
        Assert.Equal([601], tokenizer.Encode("Ca"));
        Assert.Equal([vocabulary["cat</w>"]], tokenizer.Encode("cat"));
    }

    [Theory]
    [InlineData("vocab.json")]
    [InlineData("merges.txt")]
    public void A_missing_file_is_named(string name)
    {
        File.Delete(Path.Combine(folder, name));
        var error = Assert.Throws<ModelFolderException>(() => ClipTokenizer.Load(folder));
        Assert.Equal($"{Path.Combine(folder, name)}: there is no such file, nor a tokenizer.json beside it.", error.Message);
    }

    [Theory]
    [InlineData("vocab.json", "{", "vocab.json: is not JSON:")]
    [InlineData("vocab.json", "{}", "vocab.json: has no tokens.")]
    [InlineData("vocab.json", """{ "a": 0 }""", "vocab.json: has no id for 'Ā'; every byte needs one, with and without </w>.")]
    [InlineData("merges.txt", "#version: 0.2\nc a t\n", "merges.txt: line 2: 'c a t' is not two tokens with a space between.")]
    [InlineData("merges.txt", "#version: 0.2\nc a\nd o\n", "merges.txt: line 3: vocab.json has no id for 'do'.")]
    [InlineData("tokenizer_config.json", "[]", "tokenizer_config.json: is not a JSON object.")]
    [InlineData("tokenizer_config.json", "{", "tokenizer_config.json: is not JSON:")]
    [InlineData("tokenizer_config.json", """{ "model_max_length": "many" }""",
        "tokenizer_config.json: 'model_max_length' is \"many\"; it must be a number from 3 to Infinity.")]
    [InlineData("tokenizer_config.json", """{ "pad_token": "<pad>" }""", "vocab.json: has no id for the padding token '<pad>'.")]
    public void A_file_that_is_wrong_is_named_with_the_problem(string name, string content, string message)
    {
        Write(name, content);
        var error = Assert.Throws<ModelFolderException>(() => ClipTokenizer.Load(folder));
        Assert.StartsWith(Path.Combine(folder, message), error.Message);
    }

    static Dictionary<string, int> SmallVocabulary()
    {
        var letters = new List<string>();
        var next = 0x100;
        for (var value = 0; value < 256; value++)
            letters.Add($"{(char)(value is (>= 33 and <= 126) or (>= 161 and <= 172) or (>= 174 and <= 255) ? value : next++)}");
        string[] tokens = [.. letters, .. letters.Select(letter => letter + "</w>"), "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"];
        return tokens.Select((token, id) => (token, id)).ToDictionary(entry => entry.token, entry => entry.id);
    }

    void WriteVocabulary(Dictionary<string, int> vocabulary) => Write("vocab.json", JsonSerializer.Serialize(vocabulary));

    void Write(string name, string content) => File.WriteAllText(Path.Combine(folder, name), content);
}
