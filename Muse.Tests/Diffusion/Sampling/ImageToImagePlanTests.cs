using System.Text.Json;
using System.Text.Json.Nodes;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Sampling;

/// <summary>
/// Runs that start from an image: where they begin, the noised start and every step, from shared/reference/schedulers/img2img.json.
/// </summary>
public class ImageToImagePlanTests
{
    const double Tolerance = 2e-3;

    public static TheoryData<int, string> Cases()
    {
        var data = new TheoryData<int, string>();
        try
        {
            var recorded = Read();
            for (var i = 0; i < recorded.Count; i++)
                data.Add(i, $"{recorded[i]!["scheduler"]} {recorded[i]!["steps"]} steps, strength {recorded[i]!["strength"]}");
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
    public void A_run_from_an_image_follows_the_reference(int index, string title)
    {
        var recorded = Read()[index]!;
        var sampler = Samplers.Create(ConfigOf(recorded));
        var plan = sampler.Plan((int)recorded["steps"]!, strength: (double)recorded["strength"]!);
        var timesteps = Floats(recorded["timesteps"]!);
        var first = (int)recorded["begin_index"]!;
        Assert.Equal(timesteps[first..], plan.Timesteps[plan.FirstEvaluation..], (a, b) => Math.Abs(a - b) <= 1e-4 * timesteps[0]);

        var sample = new float[8];
        sampler.AddNoise(plan, plan.FirstEvaluation, Floats(recorded["clean"]!), Floats(recorded["initial_noise"]!), sample);
        AssertClose(Floats(recorded["noised"]!), sample, title + ": noised");

        var noise =
            new RecordedNoise(plan.FirstEvaluation, recorded["step_noise"] is JsonArray drawn ? [.. drawn.Select(n => Floats(n!))] : []);
        var history = new float[sampler.HistoryBuffers * sample.Length];
        var input = new float[sample.Length];
        for (var i = plan.FirstEvaluation; i < plan.Timesteps.Length; i++)
        {
            var at = i - plan.FirstEvaluation;
            sampler.ScaleModelInput(plan, i, sample, input);
            AssertClose(Floats(recorded["scaled_model_inputs"]![at]!), input, $"{title}: model input {at}");
            var t = plan.Timesteps[i];
            var prediction = Array.ConvertAll(input, x => 0.35f * x + 0.55f * MathF.Tanh(0.5f * x - 0.4f + t / 700));
            sampler.Step(plan, i, prediction, sample, history, noise);
            AssertClose(Floats(recorded["samples"]![at]!), sample, $"{title}: sample {at}");
        }
    }

    [Fact]
    public void A_strength_that_leaves_no_step_is_refused()
    {
        var sampler = Samplers.Create(SchedulerConfig.Parse("""{ "_class_name": "EulerDiscreteScheduler" }"""));
        Assert.StartsWith("Of 4 steps a strength of 0.1 leaves none.",
            Assert.Throws<ArgumentOutOfRangeException>(() => sampler.Plan(4, strength: 0.1)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => sampler.Plan(4, strength: 1.5));
    }

    static JsonArray Read() => JsonNode.Parse(File.ReadAllText(Repository.Reference("schedulers", "img2img.json")))!["cases"]!.AsArray();

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

    sealed class RecordedNoise(int first, float[][] draws) : INoiseSource
    {
        public void Fill(int evaluation, int start, Span<float> destination) =>
            draws[evaluation - first].AsSpan(start, destination.Length).CopyTo(destination);
    }
}
