using System.Text.Json;
using System.Text.RegularExpressions;

namespace Muse.Diffusion;

public sealed partial record SchedulerConfig
{
    /// <summary>Reads the text of a <c>scheduler_config.json</c>.</summary>
    /// <param name="json">The text. Python's <c>Infinity</c> and <c>NaN</c> are taken too: diffusers writes them.</param>
    /// <param name="source">What errors call it, usually the file's path.</param>
    /// <exception cref="InvalidDataException">As for <see cref="Load"/>.</exception>
    public static SchedulerConfig Parse(string json, string source = "scheduler_config.json")
    {
        using var document = ParseJson(json, source);
        var keys = new Keys(document.RootElement, source);
        RefuseWhatIsNotDone(keys);

        var className = keys.Choice("_class_name", null, Samplers.ClassNames);
        var trainTimesteps = keys.Int("num_train_timesteps", 1000, 2, 1_000_000);
        var lcm = className == "LCMScheduler";
        var config = new SchedulerConfig
        {
            ClassName = className,
            TrainTimesteps = trainTimesteps,
            BetaStart = keys.Number("beta_start", lcm || className == "HeunDiscreteScheduler" ? 0.00085 : 0.0001, 0, 1),
            BetaEnd = keys.Number("beta_end", lcm || className == "HeunDiscreteScheduler" ? 0.012 : 0.02, 0, 1),
            BetaSchedule = keys.Choice("beta_schedule", lcm ? "scaled_linear" : "linear", ["linear", "scaled_linear", "squaredcos_cap_v2"]) switch
            {
                "linear" => BetaSchedule.Linear,
                "scaled_linear" => BetaSchedule.ScaledLinear,
                _ => BetaSchedule.Cosine,
            },
            TrainedBetas = keys.Numbers("trained_betas"),
            RescaleBetasZeroSnr = keys.Bool("rescale_betas_zero_snr", false),
            PredictionType = ReadPredictionType(keys, className),
            TimestepSpacing = keys.Optional("timestep_spacing", "leading", "trailing", "linspace") switch
            {
                "leading" => Diffusion.TimestepSpacing.Leading,
                "trailing" => Diffusion.TimestepSpacing.Trailing,
                "linspace" => Diffusion.TimestepSpacing.Linspace,
                _ => null,
            },
            StepsOffset = keys.Int("steps_offset", 0, 0, trainTimesteps - 1),
            SetAlphaToOne = keys.Has("set_alpha_to_one") ? keys.Bool("set_alpha_to_one", false) : null,
            // Diffusers clips in DDIM unless told otherwise, nowhere else.
            ClipSampleRange = keys.Bool("clip_sample", className == "DDIMScheduler") ? (float)keys.Number("clip_sample_range", 1, 0, 1e6) : null,
            UseKarrasSigmas = keys.Bool("use_karras_sigmas", false),
            SigmaMin = keys.Has("sigma_min") ? keys.Number("sigma_min", 0, 1e-6, 1e6) : null,
            SigmaMax = keys.Has("sigma_max") ? keys.Number("sigma_max", 0, 1e-6, 1e6) : null,
            FinalSigmaIsZero = keys.Choice("final_sigmas_type", "zero", ["zero", "sigma_min"]) == "zero",
            Stochastic = keys.Choice("algorithm_type", "dpmsolver++", ["dpmsolver++", "sde-dpmsolver++", "deis"]) == "sde-dpmsolver++",
            SolverOrder = keys.Int("solver_order", 2, 1, className == "DPMSolverMultistepScheduler" ? 2 : 3),
            SolverType = keys.Optional("solver_type", "midpoint", "heun", "logrho", "bh1", "bh2"),
            LowerOrderFinal = keys.Bool("lower_order_final", true),
            EulerAtFinal = keys.Bool("euler_at_final", false),
            Shift = keys.Number(keys.Has("flow_shift") ? "flow_shift" : "shift", 1, 0.01, 100),
            OriginalInferenceSteps = keys.Int("original_inference_steps", 50, 1, 1000),
            TimestepScaling = keys.Number("timestep_scaling", 10, 0, 1e6),
        };

        if (config.TrainedBetas is { } betas && betas.Count != config.TrainTimesteps)
            throw keys.Refused("trained_betas", $"{betas.Count} numbers", $"as many as num_train_timesteps ({config.TrainTimesteps})");
        if (config.OriginalInferenceSteps > config.TrainTimesteps)
            throw keys.Refused("original_inference_steps", $"{config.OriginalInferenceSteps}", $"at most num_train_timesteps ({config.TrainTimesteps})");
        return config;
    }

    /// <summary>Whether the model predicts a flow: such models have samplers of their own.</summary>
    internal bool IsFlow => PredictionType == PredictionType.Flow;

    static PredictionType ReadPredictionType(Keys keys, string className)
    {
        var flow = className == "FlowMatchEulerDiscreteScheduler" || keys.Bool("use_flow_sigmas", false);
        string[] allowed = flow ? ["flow_prediction"] : ["epsilon", "v_prediction", "sample", "flow_prediction"];
        return keys.Choice("prediction_type", flow ? "flow_prediction" : "epsilon", allowed) switch
        {
            "epsilon" => PredictionType.Epsilon,
            "v_prediction" => PredictionType.Velocity,
            "sample" => PredictionType.Sample,
            _ => PredictionType.Flow,
        };
    }

    /// <summary>Keys that change the numbers and have one value here: better no picture than a wrong one.</summary>
    static void RefuseWhatIsNotDone(Keys keys)
    {
        foreach (var key in new[]
        {
            "thresholding", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_dynamic_shifting",
            "invert_sigmas", "stochastic_sampling",
        })
        {
            if (keys.Bool(key, false))
                throw keys.Refused(key, "true", "false");
        }

        foreach (var key in new[] { "predict_x0", "skip_prk_steps" })
        {
            if (!keys.Bool(key, true))
                throw keys.Refused(key, "false", "true");
        }

        keys.Choice("timestep_type", "discrete", ["discrete"]);
        keys.Choice("interpolation_type", "linear", ["linear"]);
        if (keys.Text("lambda_min_clipped") is { } clip && clip != "-Infinity")
            throw keys.Refused("lambda_min_clipped", clip, "-Infinity");
        if (keys.Text("disable_corrector") is { } corrector && corrector != "[]")
            throw keys.Refused("disable_corrector", corrector, "[]");
        foreach (var key in new[] { "solver_p", "shift_terminal", "variance_type" })
        {
            // DDPM's variances (fixed_small, …) are no concern of the samplers here; learned ones have outputs of their own.
            if (keys.Text(key) is { } value && !value.StartsWith("fixed", StringComparison.Ordinal))
                throw keys.Refused(key, value, "null");
        }
    }

    static JsonDocument ParseJson(string json, string source)
    {
        JsonDocument document;
        try
        {
            var standard = PythonNumbers().Replace(json, "\"$0\"");
            document = JsonDocument.Parse(standard, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        }
        catch (JsonException problem)
        {
            throw new InvalidDataException($"{source} is not JSON: {problem.Message}", problem);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
            return document;
        document.Dispose();
        throw new InvalidDataException($"{source} is not a JSON object.");
    }

    [GeneratedRegex(@"(?<=:\s*)-?(?:Infinity|NaN)(?=\s*[,}])")]
    private static partial Regex PythonNumbers();

    /// <summary>The file's keys; a null value counts as an absent key.</summary>
    sealed class Keys(JsonElement root, string source)
    {
        public bool Has(string key) => root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

        public string? Text(string key) => Has(key) ? root.GetProperty(key).ToString() : null;

        public bool Bool(string key, bool absent) => !Has(key) ? absent : root.GetProperty(key).ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Refused(key, Shown(key), "true or false"),
        };

        public double Number(string key, double absent, double least, double most)
        {
            if (!Has(key))
                return absent;
            var value = root.GetProperty(key);
            return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
                ? number
                : throw Refused(key, Shown(key), FormattableString.Invariant($"a number from {least} to {most}"));
        }

        public int Int(string key, int absent, int least, int most)
        {
            var number = Number(key, absent, least, most);
            return number == Math.Floor(number) ? (int)number : throw Refused(key, Shown(key), $"a whole number from {least} to {most}");
        }

        public float[]? Numbers(string key)
        {
            if (!Has(key))
                return null;
            var value = root.GetProperty(key);
            if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.Number || item.GetDouble() is < 0 or > 1))
                throw Refused(key, Shown(key), "a list of numbers from 0 to 1");
            return [.. value.EnumerateArray().Select(item => item.GetSingle())];
        }

        public string? Optional(string key, params string[] allowed) => Has(key) ? Choice(key, null, allowed) : null;

        public string Choice(string key, string? absent, IReadOnlyCollection<string> allowed)
        {
            if (!Has(key) && absent is not null)
                return absent;
            var value = Has(key) ? root.GetProperty(key) : default;
            return value.ValueKind == JsonValueKind.String && allowed.Contains(value.GetString()!)
                ? value.GetString()!
                : throw Refused(key, Has(key) ? Shown(key) : "missing", string.Join(", ", allowed));
        }

        public InvalidDataException Refused(string key, string value, string allowed) => new($"{source}: {key} is {value}; Muse takes {allowed}.");

        string Shown(string key)
        {
            var text = root.GetProperty(key).GetRawText();
            return text.Length <= 80 ? text : text[..80] + "…";
        }
    }
}
