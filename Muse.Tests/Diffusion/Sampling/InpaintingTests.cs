using System.Text.Json;
using System.Text.Json.Nodes;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Sampling;

/// <summary>
/// Runs that keep a part of an image: the start, and every step before and after the kept part is put back, from
/// shared/reference/schedulers/img2img.json.
/// </summary>
public class InpaintingTests
{
    const double Tolerance = 2e-3;

    [SkippableTheory]
    [InlineData(0, "Euler, strength 1")]
    [InlineData(1, "DDIM, strength 0.6")]
    [InlineData(2, "DPM++ 2M, 4 steps, strength 0.6")]
    public void A_masked_run_follows_the_reference(int index, string title)
    {
        var recorded = JsonNode.Parse(File.ReadAllText(Repository.Reference("schedulers", "img2img.json")))!["inpaint_cases"]![index]!;
        var sampler = Samplers.Create(ConfigOf(recorded));
        var strength = (double)recorded["strength"]!;
        var plan = sampler.Plan((int)recorded["steps"]!, strength: strength);
        var (clean, noise, mask) = (Floats(recorded["clean"]!), Floats(recorded["initial_noise"]!), Floats(recorded["mask"]!));
        var kept = new MaskedLatent(clean, noise, mask);

        var sample = new float[clean.Length];
        if (strength == 1)
            sample = Array.ConvertAll(noise, n => n * plan.InitNoiseSigma);
        else
            sampler.AddNoise(plan, plan.FirstEvaluation, clean, noise, sample);
        AssertClose(Floats(recorded["noised"]!), sample, title + ": start");
        var history = new float[sampler.HistoryBuffers * sample.Length];
        var input = new float[sample.Length];
        for (var i = plan.FirstEvaluation; i < plan.Timesteps.Length; i++)
        {
            var at = i - plan.FirstEvaluation;
            sampler.ScaleModelInput(plan, i, sample, input);
            AssertClose(Floats(recorded["scaled_model_inputs"]![at]!), input, $"{title}: model input {at}");
            var t = plan.Timesteps[i];
            var prediction = Array.ConvertAll(input, x => 0.35f * x + 0.55f * MathF.Tanh(0.5f * x - 0.4f + t / 700));
            sampler.Step(plan, i, prediction, sample, history, new SeededNoise(0));
            AssertClose(Floats(recorded["step_outputs"]![at]!), sample, $"{title}: step {at}");
            kept.Restore(sampler, plan, i, sample);
            AssertClose(Floats(recorded["samples"]![at]!), sample, $"{title}: sample {at}");
        }
        Assert.All(mask.Index(), value => Assert.True(value.Item == 1 || sample[value.Index] == clean[value.Index]));
    }

    /// <summary>Evaluations after which the kept part is put back.</summary>
    [Theory]
    [InlineData("euler", 1.0, "0 1 2 3")]
    [InlineData("heun", 1.0, "1 3 5 6")]
    [InlineData("heun", 0.5, "5 6")]
    [InlineData("pndm", 1.0, "1 2 3 4")]
    [InlineData("pndm", 0.5, "3 4")]
    public void The_kept_part_is_put_back_after_whole_steps_alone(string name, double strength, string expected)
    {
        var sampler = Samplers.Create(SchedulerConfig.Parse("""{ "_class_name": "EulerDiscreteScheduler" }"""), name);
        var plan = sampler.Plan(4, strength: strength);
        var kept = new MaskedLatent([100], [0], [0]);
        var restored = Enumerable.Range(plan.FirstEvaluation, plan.Timesteps.Length - plan.FirstEvaluation).Where(i =>
        {
            float[] sample = [-1];
            kept.Restore(sampler, plan, i, sample);
            return sample[0] != -1;
        });
        Assert.Equal(expected, string.Join(' ', restored));
    }

    /// <summary>Where a schedule begins with more noise than Heun's method can correct, its first steps have one evaluation each.</summary>
    [Fact]
    public void Heun_s_steps_from_the_highest_noise_are_whole_after_one_evaluation()
    {
        var sampler = Samplers.Create(SchedulerConfig.Parse(
            """{ "_class_name": "HeunDiscreteScheduler", "beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "trailing" }"""));
        var plan = sampler.Plan(4);
        Assert.True(plan.Sigmas[0] > 1000, $"The first noise level is {plan.Sigmas[0]}.");
        Assert.Equal([true, false, true, false, true, true], plan.Timesteps.Select((_, i) => sampler.EndsStep(plan, i)));
    }

    static void AssertClose(float[] expected, float[] actual, string what)
    {
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= Tolerance * scale, $"{what}[{i}] is {actual[i]}, not {expected[i]}");
    }

    static SchedulerConfig ConfigOf(JsonNode recorded)
    {
        var config = recorded["config"]!.DeepClone();
        config["_class_name"] = (string)recorded["scheduler"]!;
        return SchedulerConfig.Parse(config.ToJsonString());
    }

    static float[] Floats(JsonNode node) => node.Deserialize<float[]>()!;
}
