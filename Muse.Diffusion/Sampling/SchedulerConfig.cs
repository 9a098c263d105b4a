namespace Muse.Diffusion;

/// <summary>
/// A model's <c>scheduler_config.json</c>: how it was trained to see noise, and the sampler its makers chose. Keys are those of diffusers.
/// </summary>
public sealed record SchedulerConfig
{
    /// <summary>The diffusers class (<c>_class_name</c>): names the default sampler.</summary>
    public required string ClassName { get; init; }

    /// <summary>Timesteps of training (<c>num_train_timesteps</c>).</summary>
    public int TrainTimesteps { get; init; } = 1000;

    /// <summary>The first beta (<c>beta_start</c>).</summary>
    public double BetaStart { get; init; } = 0.0001;

    /// <summary>The last beta (<c>beta_end</c>).</summary>
    public double BetaEnd { get; init; } = 0.02;

    /// <summary>How betas run from the first to the last (<c>beta_schedule</c>).</summary>
    public BetaSchedule BetaSchedule { get; init; }

    /// <summary>The betas themselves (<c>trained_betas</c>), in place of the three above; null where they are not given.</summary>
    public IReadOnlyList<float>? TrainedBetas { get; init; }

    /// <summary>Whether betas are rescaled so that the last timestep is pure noise (<c>rescale_betas_zero_snr</c>).</summary>
    public bool RescaleBetasZeroSnr { get; init; }

    /// <summary>What the denoiser predicts (<c>prediction_type</c>).</summary>
    public PredictionType PredictionType { get; init; }

    /// <summary>How timesteps are spread (<c>timestep_spacing</c>); null for the sampler's own default.</summary>
    public TimestepSpacing? TimestepSpacing { get; init; }

    /// <summary>Added to leading timesteps (<c>steps_offset</c>).</summary>
    public int StepsOffset { get; init; }

    /// <summary>
    /// Whether the last step's target is noiseless (<c>set_alpha_to_one</c>) or timestep 0; null for the sampler's own default.
    /// </summary>
    public bool? SetAlphaToOne { get; init; }

    /// <summary>The clean sample is clipped to ± this (<c>clip_sample</c>, <c>clip_sample_range</c>); null for no clipping.</summary>
    public float? ClipSampleRange { get; init; }

    /// <summary>Whether noise levels follow Karras et al. (<c>use_karras_sigmas</c>).</summary>
    public bool UseKarrasSigmas { get; init; }

    /// <summary>Whether a flow model's noise levels are even in their logarithm (<c>use_exponential_sigmas</c>).</summary>
    public bool UseExponentialSigmas { get; init; }

    /// <summary>Whether a flow model's noise levels are quantiles of a beta distribution (<c>use_beta_sigmas</c>).</summary>
    public bool UseBetaSigmas { get; init; }

    /// <summary>The least Karras noise level (<c>sigma_min</c>); null for the schedule's own.</summary>
    public double? SigmaMin { get; init; }

    /// <summary>The most Karras noise level (<c>sigma_max</c>); null for the schedule's own.</summary>
    public double? SigmaMax { get; init; }

    /// <summary>Whether the last noise level is zero or timestep 0's (<c>final_sigmas_type</c>: <c>zero</c> or <c>sigma_min</c>).</summary>
    public bool FinalSigmaIsZero { get; init; } = true;

    /// <summary>Whether DPM++ adds fresh noise (<c>algorithm_type</c>: <c>sde-dpmsolver++</c>).</summary>
    public bool Stochastic { get; init; }

    /// <summary>Order of UniPC, and of DPM++ up to 2 (<c>solver_order</c>, 1 to 3).</summary>
    public int SolverOrder { get; init; } = 2;

    /// <summary>
    /// The variant of DPM++ (<c>midpoint</c>, <c>heun</c>) or UniPC (<c>bh1</c>, <c>bh2</c>) (<c>solver_type</c>); null for the usual one.
    /// </summary>
    public string? SolverType { get; init; }

    /// <summary>Whether the last steps fall back to lower order (<c>lower_order_final</c>).</summary>
    public bool LowerOrderFinal { get; init; } = true;

    /// <summary>Whether the last step is an Euler step (<c>euler_at_final</c>).</summary>
    public bool EulerAtFinal { get; init; }

    /// <summary>How far flow models shift towards noise (<c>shift</c>, <c>flow_shift</c>).</summary>
    public double Shift { get; init; } = 1;

    /// <summary>A shift by the image's size in place of <see cref="Shift"/> (<c>use_dynamic_shifting</c>); null for none.</summary>
    public DynamicShift? DynamicShift { get; init; }

    /// <summary>The least noise level that a flow model's run is stretched to (<c>shift_terminal</c>); null where it is not.</summary>
    public double? ShiftTerminal { get; init; }

    /// <summary>Whether a flow model counts noise levels from noise (0) to image (1) (<c>invert_sigmas</c>).</summary>
    public bool InvertSigmas { get; init; }

    /// <summary>
    /// The steps that a latent consistency model was distilled from (<c>original_inference_steps</c>): the most it can take.
    /// </summary>
    public int OriginalInferenceSteps { get; init; } = 50;

    /// <summary>Scale of the timestep in a latent consistency model's boundary condition (<c>timestep_scaling</c>).</summary>
    public double TimestepScaling { get; init; } = 10;

    /// <summary>Which noise levels a flow model's run has.</summary>
    public FlowGrid FlowGrid { get; init; }

    /// <summary>What is served otherwise than the file says, in sentences.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Whether the model predicts a flow: such models have samplers of their own.</summary>
    internal bool IsFlow => PredictionType == PredictionType.Flow;

    /// <summary>Reads the text of a <c>scheduler_config.json</c>.</summary>
    /// <param name="json">The text.</param>
    /// <param name="source">What errors call it, usually the file's path.</param>
    /// <exception cref="ModelFolderException">The text is not JSON, a value is not what its key allows, or asks for what Muse does not
    /// do.</exception>
    public static SchedulerConfig Parse(string json, string source = "scheduler_config.json") =>
        SchedulerConfigReader.Read(JsonFile.Parse(json, source));
}
