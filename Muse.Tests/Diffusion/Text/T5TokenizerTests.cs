using System.Text.Json.Nodes;
using CsCheck;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Text;

public class T5TokenizerTests
{
    // Words, marks, halves of surrogate pairs, special tokens, controls, joiners, and characters that normalise to many.
    static readonly Gen<string> AnyText = Gen.OneOf(
        Gen.String,
        Gen.String[Gen.Char.AlphaNumeric],
        Gen.OneOf(new[]
        {
            "\ud835\udc00", "\ud800", "\udc00", "🎉!", "</s>", "<pad>", "<unk>", "<extra_id_7>", "▁", " ", "é", "e\u0301",
            "7½", "ﷺ", "\u200d", "\0", "\ufeff", "\ufffd", "\u0345", "가", "ᄀ", "\u1161", "\r\n", "\u2028", "\u00ad", "zz",
        }.Select(text => Gen.Const(text)).ToArray()).Array[0, 40].Select(string.Concat));

    [SkippableFact]
    public void Every_reference_text_gets_the_ids_of_T5()
    {
        using var t5 = Load();
        var cases = JsonNode.Parse(File.ReadAllText(Repository.Reference("t5", "tokens.json")))!.AsArray();
        Assert.NotEmpty(cases);
        foreach (var recorded in cases)
            Assert.Equal(recorded!["ids"]!.AsArray().GetValues<int>(), t5.Encode((string)recorded["text"]!));
    }

    [SkippableFact]
    public void Any_text_is_tokenized_to_ids_of_the_vocabulary_with_one_end()
    {
        using var t5 = Load();
        AnyText.Sample(text =>
        {
            var ids = t5.Encode(text);
            Assert.Equal(T5Tokenizer.EndToken, ids[^1]);
            Assert.All(ids, id => Assert.InRange(id, 0, 32099));
        }, iter: 20_000, threads: 1);
    }

    /// <summary>A time that grew with the square of the length would take hours here.</summary>
    [SkippableTheory]
    [InlineData("z")]
    [InlineData("a ")]
    [InlineData(" ")]
    [InlineData("日")]
    [InlineData("e\u0301")]
    [InlineData("\u0301")]
    [InlineData("👩‍🚀")]
    [InlineData("<extra_id_")]
    [InlineData("</s>")]
    [InlineData("▁")]
    public async Task A_text_of_a_million_characters_is_tokenized(string repeated)
    {
        using var t5 = Load();
        var text = string.Concat(Enumerable.Repeat(repeated, 1_000_000 / repeated.Length));
        var (ids, _) = await Task.Run(() => t5.Encode(text, 256)).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(256, ids.Length);
    }

    [SkippableFact]
    public void A_text_is_filled_up_or_cut_off_before_its_end_token()
    {
        using var t5 = Load();
        var (ids, cutOff) = t5.Encode("Hello World!", 8);
        Assert.Equal([8774, 1150, 55, 1, 0, 0, 0, 0], ids);
        Assert.Null(cutOff);
        (ids, cutOff) = t5.Encode("Hello World!", 4);
        Assert.Equal([8774, 1150, 55, 1], ids);
        Assert.Null(cutOff);
        (ids, cutOff) = t5.Encode("Hello World!", 3);
        Assert.Equal([8774, 1150, 1], ids);
        Assert.Equal("!", cutOff);
    }

    [SkippableFact]
    public void Padding_and_limits_that_a_file_asks_for_change_no_ids()
    {
        var json = JsonNode.Parse(File.ReadAllText(Repository.Reference("t5", "tokenizer.json")))!;
        json["padding"] = new JsonObject
        {
            ["strategy"] = new JsonObject { ["Fixed"] = 16 },
            ["direction"] = "Right",
            ["pad_to_multiple_of"] = null,
            ["pad_id"] = 0,
            ["pad_type_id"] = 0,
            ["pad_token"] = "<pad>",
        };
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, "tokenizer.json"), json.ToJsonString());
        using var t5 = T5Tokenizer.Load(folder.Path, "tokenizer_2");
        Assert.Equal([8774, 1150, 55, 1], t5.Encode("Hello World!"));
    }

    [Theory]
    [InlineData(null, "tokenizer_3/tokenizer.json: there is no such file (spiece.model is not read).")]
    [InlineData("{", "tokenizer_3/tokenizer.json: is not JSON: ")]
    [InlineData("""{ "model": { "type": "BPE" } }""",
        "tokenizer_3/tokenizer.json: has a tokenizer of the type BPE; T5's is Unigram.")]
    [InlineData("""{ "model": { "type": "Unigram" } }""", "tokenizer_3/tokenizer.json: the tokenizers library can't read it: ")]
    [InlineData("""{ "version": "1.0", "model": { "type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]] } }""",
        "tokenizer_3/tokenizer.json: does not end a text with the id 1, as T5's does.")]
    public void A_file_that_is_missing_or_not_T5_s_is_refused(string? json, string message)
    {
        using var folder = new TemporaryFolder();
        if (json is not null)
            File.WriteAllText(Path.Combine(folder.Path, "tokenizer.json"), json);
        var error = Assert.Throws<ModelFolderException>(() => T5Tokenizer.Load(folder.Path, "tokenizer_3"));
        Assert.StartsWith(message, error.Message);
    }

    static T5Tokenizer Load() => T5Tokenizer.Load(Repository.Reference("t5"), "tokenizer_2");
}
