using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Sampling;

public class SchedulerConfigTests
{
    [Fact]
    public void Stable_Diffusion_1_5_s_file_is_read()
    {
        var config = SchedulerConfig.Parse("""
            {
              "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
              "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": false, "skip_prk_steps": true,
              "steps_offset": 1, "trained_betas": null, "clip_sample": false
            }
            """);

        Assert.Equal(
            new SchedulerConfig
            {
                ClassName = "PNDMScheduler",
                BetaStart = 0.00085,
                BetaEnd = 0.012,
                BetaSchedule = BetaSchedule.ScaledLinear,
                SetAlphaToOne = false,
                StepsOffset = 1,
            },
            config);
        Assert.Equal("pndm", Samplers.Create(config).Name);
    }

    [Fact]
    public void Infinity_as_Python_writes_it_is_read()
    {
        var config =
            SchedulerConfig.Parse(
            """{ "_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "prediction_type": "v_prediction" }""");
        Assert.Equal(PredictionType.Velocity, config.PredictionType);
    }

    [Fact]
    public void What_a_file_leaves_out_is_what_diffusers_takes()
    {
        var lcm = SchedulerConfig.Parse("""{ "_class_name": "LCMScheduler" }""");
        Assert.Equal((0.00085, 0.012, BetaSchedule.ScaledLinear), (lcm.BetaStart, lcm.BetaEnd, lcm.BetaSchedule));
        Assert.Equal((50, 10.0), (lcm.OriginalInferenceSteps, lcm.TimestepScaling));
        Assert.Null(lcm.ClipSampleRange);
        Assert.Equal(1f, SchedulerConfig.Parse("""{ "_class_name": "DDIMScheduler" }""").ClipSampleRange);
    }

    [Theory]
    [InlineData("""{ "_class_name": "KarrasVeScheduler" }""",
        "'_class_name' is \"KarrasVeScheduler\"; it must be EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, DDIMScheduler, "
        + "DPMSolverMultistepScheduler, PNDMScheduler, HeunDiscreteScheduler, UniPCMultistepScheduler, LCMScheduler, "
        + "FlowMatchEulerDiscreteScheduler.")]
    [InlineData("{ }",
        "'_class_name' is missing; it must be EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, DDIMScheduler, "
        + "DPMSolverMultistepScheduler, PNDMScheduler, HeunDiscreteScheduler, UniPCMultistepScheduler, LCMScheduler, "
        + "FlowMatchEulerDiscreteScheduler.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "beta_schedule": "sigmoid" }""",
        "'beta_schedule' is \"sigmoid\"; it must be linear, scaled_linear, squaredcos_cap_v2.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "prediction_type": "x" }""",
        "'prediction_type' is \"x\"; it must be epsilon, v_prediction, sample, flow_prediction.")]
    [InlineData("""{ "_class_name": "FlowMatchEulerDiscreteScheduler", "prediction_type": "epsilon" }""",
        "'prediction_type' is \"epsilon\"; it must be flow_prediction.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "timestep_spacing": "even" }""",
        "'timestep_spacing' is \"even\"; it must be leading, trailing, linspace.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "thresholding": true }""", "'thresholding' is true; it must be false.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "thresholding": "no" }""", "'thresholding' is \"no\"; it must be true or false.")]
    [InlineData("""{ "_class_name": "PNDMScheduler", "skip_prk_steps": false }""", "'skip_prk_steps' is false; it must be true.")]
    [InlineData("""{ "_class_name": "UniPCMultistepScheduler", "predict_x0": false }""", "'predict_x0' is false; it must be true.")]
    [InlineData("""{ "_class_name": "UniPCMultistepScheduler", "disable_corrector": [0] }""", "'disable_corrector' is [0]; it must be [].")]
    [InlineData("""{ "_class_name": "EulerDiscreteScheduler", "use_beta_sigmas": true }""", "'use_beta_sigmas' is true; it must be false.")]
    [InlineData("""{ "_class_name": "EulerDiscreteScheduler", "interpolation_type": "log_linear" }""",
        "'interpolation_type' is \"log_linear\"; it must be linear.")]
    [InlineData("""{ "_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous" }""",
        "'timestep_type' is \"continuous\"; it must be discrete.")]
    [InlineData("""{ "_class_name": "EulerDiscreteScheduler", "use_dynamic_shifting": true }""",
        "'use_dynamic_shifting' is true; it must be false.")]
    [InlineData("""{ "_class_name": "EulerDiscreteScheduler", "shift_terminal": 0.02 }""", "'shift_terminal' is 0.02; it must be null.")]
    [InlineData("""{ "_class_name": "FlowMatchEulerDiscreteScheduler", "stochastic_sampling": true }""",
        "'stochastic_sampling' is true; it must be false.")]
    [InlineData("""{ "_class_name": "FlowMatchEulerDiscreteScheduler", "time_shift_type": "cubic", "use_dynamic_shifting": true }""",
        "'time_shift_type' is \"cubic\"; it must be exponential, linear.")]
    [InlineData("""{ "_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true, "max_image_seq_len": 256 }""",
        "'max_image_seq_len' is 256; it must be more than base_image_seq_len (256).")]
    [InlineData("""{ "_class_name": "FlowMatchEulerDiscreteScheduler", "use_karras_sigmas": true, "use_beta_sigmas": true }""",
        "'use_beta_sigmas' is true; it must be false where use_karras_sigmas is true.")]
    [InlineData("""{ "_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver" }""",
        "'algorithm_type' is \"dpmsolver\"; it must be dpmsolver++, sde-dpmsolver++, deis.")]
    [InlineData("""{ "_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -5.1 }""",
        "'lambda_min_clipped' is -5.1; it must be -Infinity.")]
    [InlineData("""{ "_class_name": "DPMSolverMultistepScheduler", "variance_type": "learned_range" }""",
        "'variance_type' is \"learned_range\"; it must be null.")]
    [InlineData("""{ "_class_name": "DPMSolverMultistepScheduler", "final_sigmas_type": "one" }""",
        "'final_sigmas_type' is \"one\"; it must be zero, sigma_min.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "beta_start": "low" }""", "'beta_start' is \"low\"; it must be a number from 0 to 1.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "num_train_timesteps": 0 }""",
        "'num_train_timesteps' is 0; it must be a whole number from 2 to 1000000.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "num_train_timesteps": 99.5 }""",
        "'num_train_timesteps' is 99.5; it must be a whole number from 2 to 1000000.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "trained_betas": [0.1] }""",
        "'trained_betas' is [0.1]; it must be as many numbers as num_train_timesteps (1000), not 1.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "trained_betas": "file" }""",
        "'trained_betas' is \"file\"; it must be a list of numbers from 0 to 1.")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "steps_offset": 1000 }""",
        "'steps_offset' is 1000; it must be a whole number from 0 to 999.")]
    [InlineData("""{ "_class_name": "LCMScheduler", "num_train_timesteps": 10 }""",
        "'original_inference_steps' is 50; it must be at most num_train_timesteps (10).")]
    public void What_is_not_done_is_refused_with_its_key_value_and_choices(string json, string message)
    {
        var error = Assert.Throws<ModelFolderException>(() => SchedulerConfig.Parse(json, "models/x/scheduler_config.json"));
        Assert.Equal("models/x/scheduler_config.json: " + message, error.Message);
    }

    [Theory]
    [InlineData("{", "scheduler_config.json: is not JSON: ")]
    [InlineData("[]", "scheduler_config.json: is not a JSON object.")]
    public void Text_that_is_no_configuration_is_refused(string json, string message) =>
        Assert.StartsWith(message, Assert.Throws<ModelFolderException>(() => SchedulerConfig.Parse(json)).Message);
}
