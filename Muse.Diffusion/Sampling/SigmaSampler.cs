namespace Muse.Diffusion;

/// <summary>What Euler, Euler ancestral and Heun share: an unscaled sample x₀ + σ·ε that the denoiser sees divided by √(σ² + 1).</summary>
abstract class SigmaSampler(SchedulerConfig config) : Sampler(config.PredictionType)
{
    readonly NoiseSchedule schedule = new(config);
    readonly TimestepSpacing spacing = config.TimestepSpacing ?? TimestepSpacing.Linspace;

    protected float? ClipSampleRange => config.ClipSampleRange;

    /// <inheritdoc/>
    public override int MaxSteps => schedule.Length;

    /// <summary>Whether the configuration's Karras noise levels are used.</summary>
    protected virtual bool UseKarrasSigmas => config.UseKarrasSigmas;

    /// <summary>Whether the configuration may end above zero noise.</summary>
    protected virtual bool AlwaysEndsAtZero => true;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape)
    {
        var timesteps = Timesteps.Of(spacing, schedule.Length, steps, config.StepsOffset);
        var sigmas = Array.ConvertAll(timesteps, schedule.Sigma);
        if (UseKarrasSigmas)
        {
            sigmas = NoiseSchedule.Karras(config.SigmaMax ?? sigmas[0], config.SigmaMin ?? sigmas[^1], steps);
            timesteps = Array.ConvertAll(sigmas, schedule.Timestep);
        }

        var last = AlwaysEndsAtZero || config.FinalSigmaIsZero ? 0 : schedule.SigmaMin;
        var levels = Array.ConvertAll(sigmas, s => (float)s);
        return new SamplerPlan
        {
            Steps = steps,
            Timesteps = Array.ConvertAll(timesteps, t => (float)t),
            Sigmas = [.. levels, (float)last],
            Levels = Array.ConvertAll(levels, s => NoiseLevel.OfUnscaled(s)),
            // A leading run starts below the last timestep, where the sample still holds something of the image.
            InitNoiseSigma = (float)(spacing == TimestepSpacing.Leading ? Math.Sqrt(sigmas[0] * sigmas[0] + 1) : sigmas[0]),
        };
    }
}
