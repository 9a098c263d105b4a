using System.Text.Json;
using System.Text.Json.Nodes;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Sampling;

/// <summary>
/// Trajectories of diffusers' schedulers, from shared/reference/schedulers/trajectories.json, around a smooth stand-in for the denoiser.
/// </summary>
public class TrajectoryTests
{
    const double Tolerance = 2e-3;

    public static TheoryData<int, string> Cases()
    {
        var data = new TheoryData<int, string>();
        try
        {
            var recorded = Read();
            for (var i = 0; i < recorded.Count; i++)
                data.Add(i, Title(recorded[i]!));
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
    public void A_run_follows_the_reference_trajectory(int index, string title)
    {
        var recorded = Read()[index]!;
        var sampler = Samplers.Create(ConfigOf(recorded));
        var plan = sampler.Plan((int)recorded["steps"]!);

        Assert.Equal(Floats(recorded["timesteps"]!).Length, plan.Timesteps.Length);
        AssertClose(Floats(recorded["timesteps"]!), plan.Timesteps, 1e-4, title + ": timesteps");
        if (recorded["sigmas"] is JsonArray sigmas)
            AssertClose(Floats(sigmas), plan.Sigmas, 1e-4, title + ": sigmas");
        Assert.Equal((float)recorded["init_noise_sigma"]!, plan.InitNoiseSigma, (float)recorded["init_noise_sigma"]! * 1e-4f);

        var sample = Floats(recorded["initial_noise"]!).Select(n => n * plan.InitNoiseSigma).ToArray();
        var noise = new RecordedNoise(recorded["step_noise"] is JsonArray drawn ? [.. drawn.Select(n => Floats(n!))] : []);
        var history = new float[sampler.HistoryBuffers * sample.Length];
        var input = new float[sample.Length];
        for (var i = 0; i < plan.Timesteps.Length; i++)
        {
            sampler.ScaleModelInput(plan, i, sample, input);
            AssertClose(Floats(recorded["scaled_model_inputs"]![i]!), input, Tolerance, $"{title}: model input {i}");
            var t = plan.Timesteps[i];
            var prediction = Array.ConvertAll(input, x => 0.35f * x + 0.55f * MathF.Tanh(0.5f * x - 0.4f + t / 700));
            sampler.Step(plan, i, prediction, sample, history, noise);
            AssertClose(Floats(recorded["samples"]![i]!), sample, Tolerance, $"{title}: sample {i}");
        }
    }

    static JsonArray Read() =>
        JsonNode.Parse(File.ReadAllText(Repository.Reference("schedulers", "trajectories.json")))!["cases"]!.AsArray();

    static void AssertClose(float[] expected, float[] actual, double tolerance, string what)
    {
        var scale = expected.Max(Math.Abs);
        for (var i = 0; i < expected.Length; i++)
        {
            var difference = Math.Abs(expected[i] - actual[i]);
            Assert.True(difference <= tolerance * scale, $"{what}[{i}] is {actual[i]}, not {expected[i]} (largest magnitude {scale})");
        }
    }

    static string Title(JsonNode recorded)
    {
        var config = recorded["config"]!;
        string[] words =
        [
            (string)recorded["scheduler"]!, (string?)config["prediction_type"] ?? "flow", (string?)config["timestep_spacing"] ?? "",
            (bool?)config["use_karras_sigmas"] == true ? "karras" : "", $"{recorded["steps"]} steps",
        ];
        return string.Join(' ', words.Where(word => word != ""));
    }

    static SchedulerConfig ConfigOf(JsonNode recorded)
    {
        var config = recorded["config"]!.DeepClone();
        config["_class_name"] = (string)recorded["scheduler"]!;
        return SchedulerConfig.Parse(config.ToJsonString());
    }

    static float[] Floats(JsonNode node) => node.Deserialize<float[]>()!;

    sealed class RecordedNoise(float[][] draws) : INoiseSource
    {
        public void Fill(int evaluation, int start, Span<float> destination) =>
            draws[evaluation].AsSpan(start, destination.Length).CopyTo(destination);
    }
}
