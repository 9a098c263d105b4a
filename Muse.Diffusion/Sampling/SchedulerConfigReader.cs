namespace Muse.Diffusion;

/// <summary>Reads <c>scheduler_config.json</c>. What a file leaves out is what diffusers' class takes.</summary>
static class SchedulerConfigReader
{
    /// <exception cref="ModelFolderException">A value is not what its key allows, or asks for what Muse does not do; the message names the
    /// key, the value and what is allowed.</exception>
    public static SchedulerConfig Read(JsonFile file)
    {
        RejectUnsupported(file);
        var className = file.Text("_class_name") is { } name && Samplers.ForClass(name) is not null
            ? name
            : throw file.Refused("_class_name", string.Join(", ", Samplers.ClassNames));
        var trainTimesteps = file.Whole("num_train_timesteps", 2, 1_000_000) ?? 1000;
        var defaults = ClassDefaults.Of(className);
        var config = new SchedulerConfig
        {
            ClassName = className,
            TrainTimesteps = trainTimesteps,
            BetaStart = file.Number("beta_start", 0, 1) ?? defaults.BetaStart,
            BetaEnd = file.Number("beta_end", 0, 1) ?? defaults.BetaEnd,
            BetaSchedule = file.Choice("beta_schedule", "linear", "scaled_linear", "squaredcos_cap_v2") switch
            {
                "linear" => BetaSchedule.Linear,
                "scaled_linear" => BetaSchedule.ScaledLinear,
                "squaredcos_cap_v2" => BetaSchedule.Cosine,
                _ => defaults.BetaSchedule,
            },
            TrainedBetas = TrainedBetas(file, trainTimesteps),
            RescaleBetasZeroSnr = file.Flag("rescale_betas_zero_snr") ?? false,
            PredictionType = PredictionOf(file, className),
            TimestepSpacing = file.Choice("timestep_spacing", "leading", "trailing", "linspace") switch
            {
                "leading" => TimestepSpacing.Leading,
                "trailing" => TimestepSpacing.Trailing,
                "linspace" => TimestepSpacing.Linspace,
                _ => null,
            },
            StepsOffset = file.Whole("steps_offset", 0, trainTimesteps - 1) ?? 0,
            SetAlphaToOne = file.Flag("set_alpha_to_one"),
            ClipSampleRange = file.Flag("clip_sample") ?? defaults.ClipSample ? (float)(file.Number("clip_sample_range", 0, 1e6) ?? 1)
                : null,
            UseKarrasSigmas = file.Flag("use_karras_sigmas") ?? defaults.UseKarrasSigmas,
            SigmaMin = file.Number("sigma_min", 1e-6, 1e6),
            SigmaMax = file.Number("sigma_max", 1e-6, 1e6),
            FinalSigmaIsZero = file.Choice("final_sigmas_type", "zero", "sigma_min") != "sigma_min",
            Stochastic = file.Choice("algorithm_type", "dpmsolver++", "sde-dpmsolver++", "deis") == "sde-dpmsolver++",
            SolverOrder = file.Whole("solver_order", 1, 3) ?? 2,
            SolverType = file.Choice("solver_type", "midpoint", "heun", "logrho", "bh1", "bh2"),
            LowerOrderFinal = file.Flag("lower_order_final") ?? true,
            EulerAtFinal = file.Flag("euler_at_final") ?? false,
            Shift = file.Number(file.Has("flow_shift") ? "flow_shift" : "shift", 0.01, 100) ?? 1,
            UseExponentialSigmas = file.Flag("use_exponential_sigmas") ?? false,
            UseBetaSigmas = file.Flag("use_beta_sigmas") ?? false,
            DynamicShift = file.Flag("use_dynamic_shifting") == true ? DynamicShiftOf(file) : null,
            ShiftTerminal = file.Number("shift_terminal", 0, 0.99) is > 0 and var terminal ? terminal : null,
            InvertSigmas = file.Flag("invert_sigmas") ?? false,
            FlowGrid = file.Flag("use_flow_sigmas") == true ? FlowGrid.Multistep : FlowGrid.FlowMatch,
            OriginalInferenceSteps = OriginalInferenceSteps(file, trainTimesteps),
            TimestepScaling = file.Number("timestep_scaling", 0, 1e6) ?? 10,
        };
        return config with { Warnings = Warnings(file, config).ToArray() };
    }

    /// <summary>Keys that change the numbers and have one value here: a wrong image would be worse than none.</summary>
    static void RejectUnsupported(JsonFile file)
    {
        string[] ofFlowMatching = ["use_exponential_sigmas", "use_beta_sigmas", "use_dynamic_shifting", "invert_sigmas"];
        var isFlowMatching = IsFlowMatching(file);
        foreach (var key in new[] { "thresholding", "use_lu_lambdas", "stochastic_sampling" }.Concat(isFlowMatching ? [] : ofFlowMatching))
        {
            if (file.Flag(key) == true)
                throw file.Refused(key, "false");
        }
        string[] spacings = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"];
        if (spacings.Where(key => file.Flag(key) == true).Skip(1).FirstOrDefault() is { } second)
            throw file.Refused(second, $"false where {spacings.First(key => file.Flag(key) == true)} is true");
        foreach (var key in new[] { "predict_x0", "skip_prk_steps" })
        {
            if (file.Flag(key) == false)
                throw file.Refused(key, "true");
        }
        file.Choice("timestep_type", "discrete");
        file.Choice("interpolation_type", "linear");
        foreach (var (key, allowed) in new[] { ("lambda_min_clipped", "-Infinity"), ("disable_corrector", "[]") })
        {
            if (file.Text(key) is { } value && value != allowed)
                throw file.Refused(key, allowed);
        }
        foreach (var key in new[] { "solver_p", "variance_type" }.Concat(isFlowMatching ? [] : ["shift_terminal"]))
        {
            // DDPM's variances (fixed_small, …) have no effect on the samplers here; learned ones have outputs of their own.
            if (file.Text(key) is { } value && !value.StartsWith("fixed", StringComparison.Ordinal))
                throw file.Refused(key, "null");
        }
    }

    static bool IsFlowMatching(JsonFile file) =>
        file.Text("_class_name") is { } className && Samplers.ForClass(className) == "flow_euler";

    static DynamicShift DynamicShiftOf(JsonFile file)
    {
        var defaults = new DynamicShift();
        var shift = defaults with
        {
            BaseShift = file.Number("base_shift", 0, 20) ?? defaults.BaseShift,
            MaxShift = file.Number("max_shift", 0, 20),
            BaseTokens = file.Whole("base_image_seq_len", 1, 1_000_000) ?? defaults.BaseTokens,
            MaxTokens = file.Whole("max_image_seq_len", 1, 1_000_000) ?? defaults.MaxTokens,
            IsLinear = file.Choice("time_shift_type", "exponential", "linear") == "linear",
        };
        return shift.MaxTokens > shift.BaseTokens
            ? shift
            : throw file.Refused("max_image_seq_len", $"more than base_image_seq_len ({shift.BaseTokens})");
    }

    static float[]? TrainedBetas(JsonFile file, int trainTimesteps)
    {
        var betas = file.Numbers("trained_betas", 0, 1);
        return betas is null || betas.Length == trainTimesteps
            ? betas
            : throw file.Refused("trained_betas", $"as many numbers as num_train_timesteps ({trainTimesteps}), not {betas.Length}");
    }

    static int OriginalInferenceSteps(JsonFile file, int trainTimesteps)
    {
        var steps = file.Whole("original_inference_steps", 1, 1000) ?? 50;
        return steps <= trainTimesteps
            ? steps
            : throw new ModelFolderException(file.Name,
                $"'original_inference_steps' is {steps}; it must be at most num_train_timesteps ({trainTimesteps}).");
    }

    static PredictionType PredictionOf(JsonFile file, string className)
    {
        var flow = Samplers.ForClass(className) == "flow_euler" || file.Flag("use_flow_sigmas") == true;
        string[] allowed = flow ? ["flow_prediction"] : ["epsilon", "v_prediction", "sample", "flow_prediction"];
        return file.Choice("prediction_type", allowed) switch
        {
            "v_prediction" => PredictionType.Velocity,
            "sample" => PredictionType.Sample,
            "flow_prediction" => PredictionType.Flow,
            null when flow => PredictionType.Flow,
            _ => PredictionType.Epsilon,
        };
    }

    /// <summary>What is served otherwise than the file says.</summary>
    static IEnumerable<string> Warnings(JsonFile file, SchedulerConfig config)
    {
        var own = Samplers.OwnName(config);
        if (!Samplers.ClassNames.Contains(config.ClassName))
            yield return $"{file.Name}: there is no {config.ClassName} here; the sampler '{own}' is the default in its place.";
        if (own == "flow_euler" && config.FlowGrid == FlowGrid.Multistep)
            yield return $"{file.Name}: {config.ClassName} with flow sigmas is served by the sampler '{own}' over the same noise levels.";
        if (own.StartsWith("dpmpp", StringComparison.Ordinal) && config.SolverOrder > DpmppSampler.MaxOrder)
            yield return $"{file.Name}: 'solver_order' is {config.SolverOrder}; the sampler '{own}' has order {DpmppSampler.MaxOrder}.";
        if (own == "pndm" && file.Flag("skip_prk_steps") is null)
        {
            yield return $"{file.Name}: 'skip_prk_steps' is absent, which means false; the sampler 'pndm' leaves the Runge-Kutta "
                + $"steps out.";
        }
    }

    /// <summary>The defaults that differ between diffusers' classes.</summary>
    sealed record ClassDefaults
    {
        public double BetaStart { get; init; } = 0.0001;
        public double BetaEnd { get; init; } = 0.02;
        public BetaSchedule BetaSchedule { get; init; }
        public bool ClipSample { get; init; }
        public bool UseKarrasSigmas { get; init; }

        public static ClassDefaults Of(string className) => className switch
        {
            "LCMScheduler" or "TCDScheduler" => new() { BetaStart = 0.00085, BetaEnd = 0.012, BetaSchedule = BetaSchedule.ScaledLinear },
            "HeunDiscreteScheduler" or "KDPM2DiscreteScheduler" or "KDPM2AncestralDiscreteScheduler" or "DPMSolverSDEScheduler" =>
                new() { BetaStart = 0.00085, BetaEnd = 0.012 },
            "DDIMScheduler" or "DDPMScheduler" or "DDIMParallelScheduler" or "DDPMParallelScheduler" => new() { ClipSample = true },
            // Their files have noise levels instead of betas; the betas are those of the models that they are used with.
            "EDMEulerScheduler" or "EDMDPMSolverMultistepScheduler" =>
                new() { BetaStart = 0.00085, BetaEnd = 0.012, BetaSchedule = BetaSchedule.ScaledLinear, UseKarrasSigmas = true },
            _ => new(),
        };
    }
}
