using System.Text.Json;
using System.Text.Json.Nodes;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Sampling;

/// <summary>
/// The noise levels of flow models' runs: those of Stable Diffusion 3's and FLUX's pipelines from
/// shared/reference/flow_match/schedules.json, and what their scheduler can do beside.
/// </summary>
public class FlowScheduleTests
{
    const int Channels = 16, PixelsPerCell = 8;

    public static TheoryData<int, string> Cases()
    {
        var data = new TheoryData<int, string>();
        try
        {
            var recorded = Read();
            for (var i = 0; i < recorded.Count; i++)
                data.Add(i, (string)recorded[i]!["name"]!);
        }
        catch (SkipException)
        {
            // The one case left meets the same absence as it runs, and skips with its reason.
            data.Add(0, "no reference data");
        }
        return data;
    }

    [SkippableTheory]
    [MemberData(nameof(Cases))]
    public void A_run_of_a_pipeline_follows_the_reference(int index, string title)
    {
        var recorded = Read()[index]!;
        var sampler = Samplers.Create(SchedulerOf(recorded));
        var shape = new LatentShape(Channels, (int)recorded["height"]! / PixelsPerCell, (int)recorded["width"]! / PixelsPerCell);
        var steps = (int)recorded["steps"]!;
        var plan = sampler.Plan(steps, shape);
        AssertClose(Floats(recorded["sigmas"]!), plan.Sigmas, 1e-5, title + ": sigmas");
        AssertClose(Floats(recorded["timesteps"]!), plan.Timesteps, 1e-5, title + ": timesteps");

        var sample = Floats(recorded["initial_noise"]!);
        for (var i = 0; i < steps; i++)
        {
            var t = plan.Timesteps[i];
            var prediction = Array.ConvertAll(sample, x => 0.35f * x + 0.55f * MathF.Tanh(0.5f * x - 0.4f + t / 700));
            sampler.Step(plan, i, prediction, sample, [], new SeededNoise(0));
            AssertClose(Floats(recorded["samples"]![i]!), sample, 1e-4, $"{title}: sample {i}");
        }

        // A case of one step has no level to start from in its middle.
        var at = (int)recorded["noised_at"]!;
        if (at == steps)
            return;
        var noised = new float[sample.Length];
        sampler.AddNoise(plan, at, Floats(recorded["clean"]!), Floats(recorded["initial_noise"]!), noised);
        AssertClose(Floats(recorded["noised"]!), noised, 1e-5, title + ": noised");
    }

    /// <summary>The scheduler's own levels of four steps, unshifted, are 1, 0.667, 0.334 and 0.001.</summary>
    [Theory]
    [InlineData("", new[] { 1, 0.667f, 0.334f, 0.001f, 0 })]
    [InlineData(""", "shift_terminal": 0.1""", new[] { 1, 0.7f, 0.4f, 0.1f, 0 })]
    // 0.001 is 10⁻³, so that the levels between are its third powers.
    [InlineData(""", "use_exponential_sigmas": true""", new[] { 1, 0.1f, 0.01f, 0.001f, 0 })]
    // ((2 + 0.001^(1/7)) / 3)⁷ and ((1 + 2·0.001^(1/7)) / 3)⁷ (Karras et al., equation 5).
    [InlineData(""", "use_karras_sigmas": true""", new[] { 1, 0.193610f, 0.022575f, 0.001f, 0 })]
    [InlineData(""", "invert_sigmas": true""", new[] { 0, 0.333f, 0.666f, 0.999f, 1 })]
    public void A_schedule_is_spread_as_its_file_says(string keys, float[] sigmas)
    {
        var plan = Samplers.Create(SchedulerConfig.Parse($$"""{ "_class_name": "FlowMatchEulerDiscreteScheduler"{{keys}} }""")).Plan(4);
        AssertClose(sigmas, plan.Sigmas, 1e-5, keys);
        AssertClose(Array.ConvertAll(sigmas[..4], sigma => sigma * 1000), plan.Timesteps, 1e-5, keys);
    }

    [Fact]
    public void Beta_levels_are_symmetric_and_denser_at_both_ends()
    {
        var sampler = Samplers.Create(
            SchedulerConfig.Parse("""{ "_class_name": "FlowMatchEulerDiscreteScheduler", "use_beta_sigmas": true }"""));
        var sigmas = sampler.Plan(5).Sigmas;
        Assert.Equal(1, sigmas[0]);
        Assert.Equal(0.5005f, sigmas[2], 1e-5f);
        Assert.Equal(0.001f, sigmas[4], 1e-6f);
        Assert.Equal(1.001f, sigmas[1] + sigmas[3], 1e-5f);
        Assert.InRange(sigmas[1], 0.78f, 0.85f);
    }

    /// <summary>With ½ it is the arcsine distribution, whose quantiles are sin²(πp/2); with 1 it is uniform.</summary>
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.25)]
    [InlineData(0.5)]
    [InlineData(0.8)]
    [InlineData(1)]
    public void Quantiles_of_the_beta_distribution_are_those_of_the_known_ones(double share)
    {
        Assert.Equal(Math.Pow(Math.Sin(Math.PI * share / 2), 2), BetaDistribution.Quantile(share, 0.5), 1e-9);
        Assert.Equal(share, BetaDistribution.Quantile(share, 1), 1e-9);
    }

    [Fact]
    public void With_inverted_levels_a_denoiser_that_knows_the_image_gets_it_back()
    {
        var sampler = Samplers.Create(
            SchedulerConfig.Parse("""{ "_class_name": "FlowMatchEulerDiscreteScheduler", "invert_sigmas": true }"""));
        var plan = sampler.Plan(5);
        float[] image = [0.5f, -1], noise = [1, 2], clean = new float[2];
        var sample = noise.ToArray();
        for (var i = 0; i < 5; i++)
        {
            float[] prediction = [image[0] - noise[0], image[1] - noise[1]];
            sampler.PredictX0(plan, i, prediction, sample, clean);
            AssertClose(image, clean, 1e-5, $"clean at {i}");
            sampler.Step(plan, i, prediction, sample, [], new SeededNoise(0));
        }
        AssertClose(image, sample, 1e-5, "image");
    }

    static JsonArray Read() =>
        JsonNode.Parse(File.ReadAllText(Repository.Reference("flow_match", "schedules.json")))!["cases"]!.AsArray();

    // As the family that the pipeline's name stands for has it.
    static SchedulerConfig SchedulerOf(JsonNode recorded)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(Path.Combine(folder.Path, "model_index.json"), $$"""{ "_class_name": "{{recorded["pipeline"]}}" }""");
        Directory.CreateDirectory(Path.Combine(folder.Path, "scheduler"));
        File.WriteAllText(Path.Combine(folder.Path, "scheduler", "scheduler_config.json"), recorded["config"]!.ToJsonString());
        return ModelFamilies.Of(ModelFolder.Open(folder.Path), denoiserInputs: [], ModelFamilies.All).Scheduler;
    }

    static void AssertClose(float[] expected, float[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * scale, $"{what}[{i}] is {actual[i]}, not {expected[i]}");
        }
    }

    static float[] Floats(JsonNode node) => node.Deserialize<float[]>()!;
}
