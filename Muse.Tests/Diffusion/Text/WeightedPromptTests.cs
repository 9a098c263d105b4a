using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Text;

/// <summary>The grammar of AUTOMATIC1111's parse_prompt_attention. The first six cases with weights are its published examples; the others
/// follow from its rules by hand.</summary>
public class WeightedPromptTests
{
    /// <summary>Runs as text@weight, parted by "|"; "||" stands for a BREAK.</summary>
    [Theory]
    [InlineData("normal text", "normal text@1")]
    [InlineData("an (important) word", "an @1|important@1.1| word@1")]
    [InlineData("(unbalanced", "unbalanced@1.1")]
    [InlineData(@"\(literal\]", "(literal]@1")]
    [InlineData("(unnecessary)(parens)", "unnecessaryparens@1.1")]
    [InlineData("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
        "a @1|house@1.573| @1.1|on@1| a @1.1|hill@0.55|, sun, @1.1|sky@1.4641|.@1.1")]
    [InlineData("", "")]
    [InlineData("()", "")]
    [InlineData("((word))", "word@1.21")]
    [InlineData("(((word)))", "word@1.331")]
    [InlineData("[word]", "word@0.909091")]
    [InlineData("[[word]]", "word@0.826446")]
    [InlineData("([word])", "word@1")]
    [InlineData("[(word:1.5)]", "word@1.363636")]
    [InlineData("(word:1.2)", "word@1.2")]
    [InlineData("(word: 1.2 )", "word@1.2")]
    [InlineData("(two words:1.2), more", "two words@1.2|, more@1")]
    [InlineData("(a\n b:1.2)", "a\n b@1.2")]
    [InlineData("(a:0)", "a@0")]
    [InlineData("(a:-1)", "a@-1")]
    [InlineData("(a:+1.5)", "a@1.5")]
    [InlineData("(a:.5)", "a@0.5")]
    [InlineData("(a:2.)", "a@2")]
    [InlineData("(a:b)", "a:b@1.1")]
    [InlineData("(a:1.2:1.3)", "a:1.2@1.3")]
    [InlineData("(a:1.2.3)", "a:1.2.3@1.1")]
    [InlineData("a:1.2", "a:1.2@1")]
    [InlineData("a:1.2)", "a:1.2)@1")]
    [InlineData("(a:1.2", "a:1.2@1.1")]
    [InlineData("a) b", "a) b@1")]
    [InlineData("a] b", "a] b@1")]
    [InlineData("[a:0.5]", "a:0.5@0.909091")]
    [InlineData("[a", "a@0.909091")]
    [InlineData("(a [b) c]", "a @1.1|b@1| c@0.909091")]
    [InlineData("((a:1.2) b)", "a@1.32| b@1.1")]
    [InlineData("(a:1.2) (b:1.2)", "a@1.2| @1|b@1.2")]
    [InlineData("(a)(b:1.1)", "ab@1.1")]
    [InlineData(@"a\\b", @"a\b@1")]
    [InlineData(@"a\b", "ab@1")]
    [InlineData(@"\((a)\)", "(@1|a@1.1|)@1")]
    [InlineData(@"(a\))", "a)@1.1")]
    [InlineData(@"(a\:1.2)", "a@1.2")]
    [InlineData("a BREAK b", "a@1||b@1")]
    [InlineData("a BREAK BREAK b", "a@1||@1||b@1")]
    [InlineData("BREAK a", "||a@1")]
    [InlineData("a BREAKFAST b", "a BREAKFAST b@1")]
    [InlineData("<lora:x:0.8>a", "a@1")]
    [InlineData("(a <lora:x:1>:1.3)", "a @1.3")]
    // Not as AUTOMATIC1111's, which reads the word BREAK with the weight -1.2 here.
    [InlineData("(a BREAK b:1.2)", "a@1.2||b@1.2")]
    // Not as AUTOMATIC1111's, whose weights have no limit.
    [InlineData("(a:1000)", "a@30")]
    public void A_prompt_has_the_runs_and_weights_of_AUTOMATIC1111(string prompt, string expected)
    {
        var runs = WeightedPrompt.Parse(prompt).Runs;
        Assert.Equal(expected, string.Concat(runs.Select((run, i) =>
            FormattableString.Invariant($"{(run.StartsChunk ? "||" : i > 0 ? "|" : "")}{run.Text}@{Math.Round(run.Weight, 6):0.######}"))));
    }

    [Theory]
    [InlineData("((((((((((", "")]
    [InlineData("[[[[[[[[[[", "a")]
    [InlineData("(", ":1.3)")]
    [InlineData("([", "])")]
    [InlineData(":((\\", ")]")]
    [InlineData(": : ", "")]
    [InlineData("<lora:", ">")]
    [InlineData("   ", "BREAK")]
    [InlineData("BREAK ", "")]
    public async Task A_hostile_prompt_is_parsed_in_time_in_proportion_to_its_length(string opening, string closing)
    {
        const int Characters = 1_000_000;
        var prompt = string.Concat(Enumerable.Repeat(opening, Characters / opening.Length)) + "a"
            + string.Concat(Enumerable.Repeat(closing, closing.Length == 0 ? 0 : Characters / closing.Length));
        // In quadratic time this would take hours.
        var parsed = await Task.Run(() => WeightedPrompt.Parse(prompt)).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.All(parsed.Runs, run => Assert.InRange(run.Weight, -WeightedPrompt.MaxWeight, WeightedPrompt.MaxWeight));
    }

    [Fact]
    public void The_states_of_a_chunk_are_multiplied_and_their_mean_restored()
    {
        // The sums are 10 before and 1 + 2 + 6 + 8 = 17 after.
        float[] states = [1, 2, 3, 4];
        TokenWeights.Apply(states, [1, 2]);
        foreach (var (expected, actual) in new[] { 10 / 17.0, 20 / 17.0, 60 / 17.0, 80 / 17.0 }.Zip(states))
            Assert.Equal(expected, actual, 1e-6);
    }

    [Fact]
    public void A_mean_that_can_not_be_restored_is_left()
    {
        float[] states = [1, 2, 3];
        TokenWeights.Apply(states, [0, 0, 0]);
        Assert.Equal([0, 0, 0], states);
        float[] opposite = [1, 1];
        TokenWeights.Apply(opposite, [1, -1]);
        Assert.Equal([1, -1], opposite);
    }
}
