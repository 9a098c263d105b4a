using System.Text.Json.Nodes;
using CsCheck;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Text;

public class ClipTokenizerTests
{
    static readonly Lazy<ClipTokenizer> Clip = new(() => ClipTokenizer.Load(Repository.Reference("clip")));

    static readonly Gen<string> AnyText = Gen.OneOf(
        Gen.String,
        Gen.String[Gen.Char.AlphaNumeric],
        Gen.OneOf(Gen.Const("'s"), Gen.Const("\ud835\udc00"), Gen.Const("\ud800"), Gen.Const("🎉!"), Gen.Const("<|endoftext|>"),
            Gen.Const(" "), Gen.Const("é"), Gen.Const("7½"))
            .Array[0, 12].Select(string.Concat));

    [SkippableFact]
    public void Every_reference_prompt_gets_the_ids_of_CLIP()
    {
        var cases = JsonNode.Parse(File.ReadAllText(Repository.Reference("clip", "tokens.json")))!.AsArray();
        Assert.NotEmpty(cases);
        foreach (var recorded in cases)
        {
            var text = (string)recorded!["text"]!;
            Assert.Equal(recorded["ids"]!.AsArray().GetValues<int>(), Clip.Value.Encode(text));
            Assert.Equal(recorded["padded77"]!.AsArray().GetValues<int>(), Clip.Value.Chunk(text, maxChunks: 1).Chunks.Single());
        }
    }

    [SkippableFact]
    public void CLIP_s_vocabulary_in_a_tokenizer_json_gives_the_same_ids()
    {
        var vocabulary = JsonNode.Parse(File.ReadAllText(Repository.Reference("clip", "vocab.json")))!;
        var merges = File.ReadLines(Repository.Reference("clip", "merges.txt")).Skip(1).Where(line => line.Length > 0)
            .Select(line => (JsonNode)new JsonArray([.. line.Split(' ').Select(token => (JsonNode)token)])).ToArray();
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, "tokenizer.json"),
            new JsonObject
            {
                ["model"] =
            new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray(merges) }
            }.ToJsonString());
        var tokenizer = ClipTokenizer.Load(folder.Path);
        foreach (var recorded in JsonNode.Parse(File.ReadAllText(Repository.Reference("clip", "tokens.json")))!.AsArray())
            Assert.Equal(recorded!["ids"]!.AsArray().GetValues<int>(), tokenizer.Encode((string)recorded["text"]!));
    }

    [SkippableFact]
    public void Any_text_is_tokenized_to_ids_that_the_model_knows()
    {
        var tokenizer = Clip.Value;
        AnyText.Sample(text => Assert.All(tokenizer.Encode(text), id => Assert.InRange(id, 0, tokenizer.VocabularySize - 1)));
    }

    [SkippableFact]
    public void Ids_spell_the_text_they_came_from_without_case_and_space()
    {
        var spelling = Spelling();
        Gen.String[Gen.Char.AlphaNumeric].Array[0, 8].Select(words => string.Join(' ', words)).Sample(text =>
            Assert.Equal(text.Replace(" ", "")
                .ToLowerInvariant(), string.Concat(Clip.Value.Encode(text).Select(id => spelling[id].Replace("</w>", "")))));
    }

    [SkippableFact]
    public void Spaces_and_case_make_no_difference() =>
        Assert.Equal(Clip.Value.Encode("a red fox, running"), Clip.Value.Encode("  A  red\n\tFOX,\u00a0 running "));

    [SkippableTheory]
    [InlineData("a café in Zürich, crème brûlée on the table", "a cafe\u0301 in Zu\u0308rich, cre\u0300me bru\u0302le\u0301e on the table")]
    [InlineData("Ångström's portrait, naïve art, Dvořák and Škoda, São Paulo",
        "A\u030angstro\u0308m's portrait, nai\u0308ve art, Dvor\u030ca\u0301k and S\u030ckoda, Sa\u0303o Paulo")]
    [InlineData("phở ở Việt Nam, tranh sơn dầu", "pho\u031b\u0309 o\u031b\u0309 Vie\u0323\u0302t Nam, tranh so\u031bn da\u0302\u0300u")]
    [InlineData("한국의 가을 풍경",
        "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1174 \u1100\u1161\u110b\u1173\u11af \u1111\u116e\u11bc\u1100\u1167\u11bc")]
    [InlineData("ガラスの桜とパンダ", "カ\u3099ラスの桜とハ\u309aンタ\u3099")]
    [InlineData("ёлка и чайник", "е\u0308лка и чаи\u0306ник")]
    public void Accents_written_on_their_own_get_the_ids_of_the_composed_letters(string prompt, string apart)
    {
        Assert.NotEqual(prompt, apart);
        Assert.Equal(Clip.Value.Encode(prompt), Clip.Value.Encode(apart));
        Assert.Equal(Clip.Value.Chunk(prompt, maxChunks: 1).Chunks, Clip.Value.Chunk(apart, maxChunks: 1).Chunks);
    }

    [SkippableFact]
    public void A_letter_and_an_accent_are_CLIP_s_one_letter()
    {
        // Recorded: CLIP's ids of "café" in its composed spelling end in one word.
        var spelling = Spelling();
        Assert.Single(Clip.Value.Encode("cafe\u0301"), id => spelling[id].EndsWith("</w>", StringComparison.Ordinal));
        // The one capital letter that two small characters stand for.
        Assert.Equal(Clip.Value.Encode("i\u0307stanbul"), Clip.Value.Encode("\u0130stanbul"));
        Assert.Equal(Clip.Value.Encode("i\u0307stanbul"), Clip.Value.Encode("I\u0307STANBUL"));
    }

    [SkippableFact]
    public void Letters_beyond_the_first_plane_stay_in_their_word()
    {
        // Both have one word end: "𝐀b" is one run of letters, as in CLIP's own splitter.
        var spelling = Spelling();
        Assert.Single(Clip.Value.Encode("\ud835\udc00b"), id => spelling[id].EndsWith("</w>", StringComparison.Ordinal));
        Assert.Equal(2, Clip.Value.Encode("\ud835\udc00 b").Count(id => spelling[id].EndsWith("</w>", StringComparison.Ordinal)));
    }

    [SkippableFact]
    public void A_prompt_longer_than_a_chunk_goes_on_in_the_next_with_its_words_whole()
    {
        var text = string.Join(' ', Enumerable.Repeat("antidisestablishmentarianism", 20));
        var ids = Clip.Value.Encode(text);
        var word = ids.Length / 20;
        Assert.NotEqual(0, 75 % word);

        var prompt = Clip.Value.Chunk(text, maxChunks: 3);

        Assert.Null(prompt.CutOff);
        Assert.Equal(2, prompt.Chunks.Count);
        Assert.All(prompt.Chunks, chunk => Assert.Equal(77, chunk.Length));
        Assert.All(prompt.Chunks, chunk => Assert.Equal(49406, chunk[0]));
        Assert.Equal(75 / word * word, Text(prompt.Chunks[0]).Length);
        Assert.Equal(ids, prompt.Chunks.SelectMany(Text));
    }

    [SkippableFact]
    public void What_does_not_fit_is_told_as_it_was_written()
    {
        var text = string.Join(' ', Enumerable.Repeat("cat", 150)) + "  The LAST  Words\n";

        var prompt = Clip.Value.Chunk(text, maxChunks: 2);

        Assert.Equal("The LAST  Words", prompt.CutOff);
        Assert.Equal(2, prompt.Chunks.Count);
        Assert.Null(Clip.Value.Chunk(text, maxChunks: 3).CutOff);
    }

    [SkippableFact]
    public void A_word_longer_than_a_chunk_is_split_and_loses_nothing_that_fits()
    {
        var text = "a " + string.Concat(Enumerable.Repeat("桜", 60));
        var ids = Clip.Value.Encode(text);
        Assert.InRange(ids.Length, 76, 150);

        Assert.Equal(ids, Clip.Value.Chunk(text, maxChunks: 2).Chunks.SelectMany(Text));
        var cut = Clip.Value.Chunk(text, maxChunks: 1);
        Assert.Equal(ids[..75], Text(cut.Chunks.Single()));
        Assert.Equal(text[2..], cut.CutOff);
    }

    [SkippableFact]
    public void Chunks_hold_the_prompt_s_ids_in_order_whatever_the_text()
    {
        var tokenizer = Clip.Value;
        AnyText.Array[0, 40].Select(parts => string.Join(' ', parts).Replace("<|endoftext|>", "")).Sample(text =>
        {
            var prompt = tokenizer.Chunk(text, maxChunks: 3);
            Assert.InRange(prompt.Chunks.Count, 1, 3);
            var used = prompt.Chunks.SelectMany(Text).ToArray();
            var ids = tokenizer.Encode(text);
            Assert.Equal(ids[..used.Length], used);
            Assert.Equal(prompt.CutOff is null, used.Length == ids.Length);
            if (prompt.CutOff is { } cut)
                Assert.EndsWith(cut, CanonicalComposition.Compose(text).Replace("\u0130", "I\u0307").TrimEnd());
        }, iter: 50);
    }

    [SkippableFact]
    public void An_empty_prompt_is_one_chunk_of_padding_and_pads_to_as_many_as_its_partner()
    {
        var prompt = Clip.Value.Chunk("", maxChunks: 3);
        int[] empty = [49406, .. Enumerable.Repeat(49407, 76)];

        Assert.Equal(empty, prompt.Chunks.Single());
        Assert.Equal([empty, empty, empty], prompt.PadTo(3).Chunks);
        Assert.Throws<ArgumentOutOfRangeException>(() => prompt.PadTo(0));
    }

    static Dictionary<int, string> Spelling() => JsonNode.Parse(File.ReadAllText(Repository.Reference("clip", "vocab.json")))!.AsObject()
        .ToDictionary(entry => (int)entry.Value!, entry => entry.Key);

    static int[] Text(int[] chunk) => chunk[1..Array.IndexOf(chunk, 49407)];
}
