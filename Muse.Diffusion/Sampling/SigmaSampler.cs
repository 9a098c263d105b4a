using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>What Euler, Euler ancestral and Heun share: an unscaled sample x₀ + σ·ε that the denoiser sees divided by √(σ² + 1).</summary>
abstract class SigmaSampler(SchedulerConfig config) : Sampler
{
    readonly NoiseSchedule schedule = new(config);
    readonly TimestepSpacing spacing = config.TimestepSpacing ?? TimestepSpacing.Linspace;

    protected PredictionType PredictionType => config.PredictionType;

    protected float? ClipSampleRange => config.ClipSampleRange;

    /// <inheritdoc/>
    public override int MaxSteps => schedule.Length;

    /// <summary>Whether the configuration's Karras noise levels are used.</summary>
    protected virtual bool UseKarrasSigmas => config.UseKarrasSigmas;

    /// <summary>Whether the configuration may end above zero noise.</summary>
    protected virtual bool AlwaysEndsAtZero => true;

    /// <inheritdoc/>
    public override SamplerPlan Plan(int steps)
    {
        CheckSteps(steps);
        var timesteps = Timesteps.Of(spacing, schedule.Length, steps, config.StepsOffset);
        var sigmas = Array.ConvertAll(timesteps, schedule.Sigma);
        if (UseKarrasSigmas)
        {
            sigmas = NoiseSchedule.Karras(config.SigmaMax ?? sigmas[0], config.SigmaMin ?? sigmas[^1], steps);
            timesteps = Array.ConvertAll(sigmas, schedule.Timestep);
        }

        var last = AlwaysEndsAtZero || config.FinalSigmaIsZero ? 0 : schedule.SigmaMin;
        return new SamplerPlan
        {
            Steps = steps,
            Timesteps = Array.ConvertAll(timesteps, t => (float)t),
            Sigmas = [.. sigmas.Select(s => (float)s), (float)last],
            // A leading run starts below the last timestep, where the sample still holds something of the picture.
            InitNoiseSigma = (float)(spacing == TimestepSpacing.Leading ? Math.Sqrt(sigmas[0] * sigmas[0] + 1) : sigmas[0]),
        };
    }

    /// <inheritdoc/>
    public override void ScaleModelInput(SamplerPlan plan, int i, ReadOnlySpan<float> sample, Span<float> modelInput)
    {
        double sigma = plan.Sigmas[i];
        TensorPrimitives.Multiply(sample, (float)(1 / Math.Sqrt(sigma * sigma + 1)), modelInput);
    }

    private protected override Mix Clean(SamplerPlan plan, int i) => Mix.CleanOfUnscaled(PredictionType, plan.Sigmas[i]);
}
