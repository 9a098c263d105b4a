using Muse.Diffusion;
using Muse.Tests.Autoscaler;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.Families;

/// <summary>What a family makes of its folder's scheduler_config.json, and the warnings about it.</summary>
public class SchedulerDefaultsTests
{
    static (IDiffusionModel Model, List<string> Warnings) Open(OnnxFolderBuilder builder, string? scheduler = null)
    {
        var folder = builder.Write();
        if (scheduler is not null)
            OnnxFolderBuilder.WriteText(folder, "scheduler/scheduler_config.json", scheduler);
        var log = new LinesLogger();
        var model = DiffusionModels.Open(folder, "cpu", new DeviceOptions { Threads = 1 }, TimeProvider.System, log.For<DiffusionEngine>());
        return (model, [.. log.All.Where(line => line.StartsWith("Model ", StringComparison.Ordinal))]);
    }

    [Theory]
    [InlineData("DEISMultistepScheduler", "dpmpp_2m")]
    [InlineData("LMSDiscreteScheduler", "euler")]
    [InlineData("DDPMScheduler", "ddim")]
    [InlineData("TCDScheduler", "lcm")]
    [InlineData("EDMEulerScheduler", "euler")]
    [InlineData("KDPM2DiscreteScheduler", "heun")]
    [InlineData("KDPM2AncestralDiscreteScheduler", "euler_a")]
    [InlineData("DPMSolverSinglestepScheduler", "dpmpp_2m")]
    [InlineData("IPNDMScheduler", "pndm")]
    public async Task A_scheduler_that_there_is_none_of_is_served_by_the_nearest_sampler_with_one_warning(string className, string sampler)
    {
        var (model, warnings) =
            Open(new(), $$"""{"_class_name": "{{className}}", "steps_offset": 1, "clip_sample": false, "skip_prk_steps": true}""");
        Assert.Equal(sampler, model.Traits.Samplers[0]);
        Assert.Equal(
            $"Model tiny: tiny/scheduler/scheduler_config.json: there is no {className} here; the sampler '{sampler}' is the default "
            + $"in its place.", Assert.Single(warnings));
        await using var engine = await EngineUnderTest.StartAsync(model);
        engine.Submit(Requests.Of("a", steps: 4));
        Assert.True((await engine.ImageOf("a")).Distinct().Count() > 50);
    }

    [Fact]
    public void A_solver_order_that_there_is_none_of_is_lowered_with_one_warning()
    {
        var (model, warnings) = Open(new(), """{"_class_name": "DPMSolverMultistepScheduler", "solver_order": 3, "steps_offset": 1}""");
        using (model)
        {
            Assert.Equal("Model tiny: tiny/scheduler/scheduler_config.json: 'solver_order' is 3; the sampler 'dpmpp_2m' has order 2.",
                Assert.Single(warnings));
        }
    }

    [Theory]
    [InlineData("""{"_class_name": "DDIMScheduler", "clip_sample": true, "steps_offset": 1}""", 1)]
    [InlineData("""{"_class_name": "DDIMScheduler", "steps_offset": 1}""", 1)]
    [InlineData("""{"_class_name": "DDIMScheduler", "clip_sample": false}""", 1)]
    [InlineData("""{"_class_name": "DDIMScheduler"}""", 2)]
    [InlineData("""{"_class_name": "DDIMScheduler", "clip_sample": false, "steps_offset": 1}""", 0)]
    public void Clipping_is_off_and_the_offset_is_1_as_in_the_Stable_Diffusion_pipeline(string scheduler, int warned)
    {
        var (model, warnings) = Open(new(), scheduler);
        using (model)
        {
            Assert.Equal(warned, warnings.Count);
            var sampler = model.CreateSampler(null);
            Assert.Equal([751, 501, 251, 1], sampler.Plan(4).Timesteps);
            float[] sample = [50];
            sampler.Step(sampler.Plan(1), 0, [0], sample, [], new SeededNoise(0));
            Assert.True(sample[0] > 2, "The clean sample is clipped.");
        }
    }

    [Fact]
    public void SDXL_s_pipeline_leaves_the_scheduler_as_it_is()
    {
        var (model, warnings) =
            Open(new() { Two = true, UnetTextWidth = 32 }, """{"_class_name": "DDIMScheduler", "clip_sample": false}""");
        using (model)
        {
            Assert.Empty(warnings);
            Assert.Equal([750, 500, 250, 0], model.CreateSampler(null).Plan(4).Timesteps);
        }
    }

    [Fact]
    public void Runge_Kutta_steps_that_are_left_out_are_said()
    {
        var (model, warnings) = Open(new(), """{"_class_name": "PNDMScheduler", "steps_offset": 1}""");
        using (model)
        {
            Assert.Equal(
                "Model tiny: tiny/scheduler/scheduler_config.json: 'skip_prk_steps' is absent, which means false; the sampler 'pndm' "
                    + "leaves the Runge-Kutta steps out.",
                Assert.Single(warnings));
        }
    }

    /// <summary>diffusers: 1 − linspace(1, 1/1000, 5), shifted, the largest first; timesteps are cut to whole numbers.</summary>
    [Theory]
    [InlineData("UniPCMultistepScheduler")]
    [InlineData("DPMSolverMultistepScheduler")]
    public void Flow_sigmas_of_a_multistep_scheduler_are_those_that_it_has(string className)
    {
        var (model, warnings) =
            Open(new(),
            $$"""{"_class_name": "{{className}}", "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 3.0}""");
        using (model)
        {
            Assert.Single(warnings);
            var plan = model.CreateSampler(null).Plan(4);
            float[] even = [0.999f, 0.74925f, 0.4995f, 0.24975f];
            var shifted = even.Select(sigma => 3 * sigma / (1 + 2 * sigma)).ToArray();
            Assert.Equal([.. shifted, 0f], plan.Sigmas, (a, b) => Math.Abs(a - b) < 1e-5);
            Assert.Equal(shifted.Select(sigma => MathF.Truncate(sigma * 1000)), plan.Timesteps);
        }
    }

    [Fact]
    public async Task A_negative_prompt_that_has_no_effect_is_said_at_the_start_and_for_its_request()
    {
        var (model, warnings) = Open(new() { Scheduler = "LCMScheduler", GuidanceLength = 32 });
        Assert.Equal("Model tiny: the guidance scale is an input of the denoiser; negative prompts have no effect.",
            Assert.Single(warnings));
        var log = new LinesLogger();
        await using var engine = await EngineUnderTest.StartAsync(model, log: log.For<DiffusionEngine>());
        engine.Submit(Requests.Of("with", steps: 2, prompt: "a cat", seed: 1) with { NegativePrompt = "rain" });
        engine.Submit(Requests.Of("without", steps: 2, prompt: "a cat", seed: 1));
        Assert.Equal(await engine.ImageOf("without"), await engine.ImageOf("with"));
        Assert.Equal(
            "The negative prompt of with has no effect: guidance is distilled into the denoiser of tiny",
            Assert.Single(log.All, line => line.StartsWith("The negative prompt", StringComparison.Ordinal)));
    }
}
