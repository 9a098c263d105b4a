using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.Families;

/// <summary>Weighted prompts through text encoders whose state of a token depends on the token and its place alone.</summary>
public class WeightedConditioningTests
{
    const int Context = OnnxFolderBuilder.Context;

    static OnnxModel Open(OnnxFolderBuilder folder) => OnnxModel.Open(folder.Write(),
        ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance), NullLogger.Instance);

    [Fact]
    public void States_are_those_of_the_plain_prompt_times_their_weights_with_the_mean_restored()
    {
        using var model = Open(new());
        var plain = model.Encode("a b c").Tensors[0].Values;
        var weighted = model.EncodeWeighted(WeightedPrompt.Parse("a (b:1.5) [c]")).Tensors[0].Values;
        AssertWeighted(plain, weighted, width: 16, at: 0, of: 16, (2, 1.5), (3, 1 / 1.1));
        Assert.NotEqual(plain, weighted);
    }

    [Fact]
    public void Each_of_two_encoders_restores_its_own_mean_and_the_pooled_embedding_has_no_weights()
    {
        using var model = Open(new() { Two = true, UnetTextWidth = 32 });
        var (plain, weighted) = (model.Encode("a b"), model.EncodeWeighted(WeightedPrompt.Parse("a (b:0.8)")));
        AssertWeighted(plain.Tensors[0].Values, weighted.Tensors[0].Values, width: 32, at: 0, of: 16, (2, 0.8));
        AssertWeighted(plain.Tensors[0].Values, weighted.Tensors[0].Values, width: 32, at: 16, of: 16, (2, 0.8));
        Assert.Equal(plain.Tensors[1].Values, weighted.Tensors[1].Values);
    }

    [Fact]
    public void A_prompt_without_weights_and_an_absent_one_are_as_before()
    {
        using var model = Open(new());
        Assert.Equal(model.Encode("a b").Tensors[0].Values, model.EncodeWeighted(WeightedPrompt.Parse("a b")).Tensors[0].Values);
        Assert.Equal(model.Encode("").Tensors[0].Values, model.EncodeWeighted(WeightedPrompt.Parse("")).Tensors[0].Values);
    }

    [Fact]
    public void BREAK_begins_a_chunk_and_each_chunk_restores_its_own_mean()
    {
        using var model = Open(new());
        var weighted = model.EncodeWeighted(WeightedPrompt.Parse("a BREAK (b:1.5) c")).Tensors[0].Values;
        Assert.Equal(2 * Context * 16, weighted.Length);
        Assert.Equal(model.Encode("a").Tensors[0].Values, weighted[..(Context * 16)]);
        AssertWeighted(model.Encode("b c").Tensors[0].Values, weighted[(Context * 16)..], width: 16, at: 0, of: 16, (1, 1.5));
        Assert.Equal(Context * 16, model.EncodeWeighted(WeightedPrompt.Parse("a BREAK")).Tensors[0].Values.Length);
    }

    [Fact]
    public void Where_the_denoiser_takes_one_chunk_BREAK_loses_no_words()
    {
        using var model = Open(new() { Tokens = Context });
        var broken = model.EncodeWeighted(WeightedPrompt.Parse("a BREAK b"));
        Assert.Null(broken.CutOff);
        Assert.Equal(model.Encode("a b").Tensors[0].Values, broken.Tensors[0].Values);
    }

    [Fact]
    public void What_does_not_fit_is_told_without_its_syntax()
    {
        using var model = Open(new() { Tokens = Context });
        var prompt = string.Join(' ', Enumerable.Repeat("a", 75)) + " (the last:1.3) words";
        Assert.Equal("the last words", model.EncodeWeighted(WeightedPrompt.Parse(prompt)).CutOff);
    }

    [Fact]
    public async Task A_request_says_whether_weights_are_read_and_the_cache_keeps_both_apart()
    {
        var folder = new OnnxFolderBuilder().Write();
        OnnxModel Model() => OnnxModel.Open(
            folder, ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance), NullLogger.Instance);
        var request = Requests.Of("text", prompt: "a (b:1.5)", steps: 2, seed: 3);
        await using var both = await EngineUnderTest.StartAsync(Model());
        both.Submit(request);
        var text = await both.ImageOf("text");
        both.Submit(request with { Id = "weights", PromptWeights = true });
        var weights = await both.ImageOf("weights");
        both.Submit(request with { Id = "text again" });
        Assert.Equal(text, await both.ImageOf("text again"));
        Assert.NotEqual(text, weights);

        await using var one = await EngineUnderTest.StartAsync(Model());
        one.Submit(request with { PromptWeights = true });
        Assert.Equal(weights, await one.ImageOf("text"));
    }

    /// <summary>Compares one encoder's columns of a chunk with the formula.</summary>
    static void AssertWeighted(float[] plain, float[] weighted, int width, int at, int of, params (int Token, double Weight)[] weights)
    {
        double Weight(int token) => weights.Where(pair => pair.Token == token).Select(pair => pair.Weight).FirstOrDefault(1);
        var cells = Enumerable.Range(0, Context).SelectMany(token => Enumerable.Range(at, of).Select(column => (token, column))).ToList();
        var before = cells.Average(cell => (double)plain[cell.token * width + cell.column]);
        var after = cells.Average(cell => plain[cell.token * width + cell.column] * Weight(cell.token));
        Assert.All(cells, cell => Assert.Equal(
            plain[cell.token * width + cell.column] * Weight(cell.token) * before / after,
            weighted[cell.token * width + cell.column], 1e-5));
    }
}
