namespace Muse.Diffusion;

/// <summary>The plan of DPM++ and UniPC: noise levels that end at a target, for a sample α·x₀ + σ·α·ε.</summary>
static class MultistepPlan
{
    public static SamplerPlan Of(SchedulerConfig config, NoiseSchedule schedule, bool karras, int steps, Func<double, double> wholeTimestep)
    {
        var spacing = config.TimestepSpacing ?? TimestepSpacing.Linspace;
        var timesteps = Timesteps.AboveTarget(spacing, schedule.Length, steps, config.StepsOffset);
        var sigmas = Array.ConvertAll(timesteps, schedule.Sigma);
        var last = config.FinalSigmaIsZero ? 0 : schedule.SigmaMin;
        if (karras)
        {
            sigmas = NoiseSchedule.Karras(config.SigmaMax ?? schedule.SigmaMax, config.SigmaMin ?? schedule.SigmaMin, steps);
            timesteps = Array.ConvertAll(sigmas, s => wholeTimestep(schedule.Timestep(s)));
        }

        var levels = Array.ConvertAll(sigmas, s => (float)s);
        return new SamplerPlan
        {
            Steps = steps,
            Timesteps = Array.ConvertAll(timesteps, t => (float)t),
            Sigmas = [.. levels, (float)last],
            Levels = Array.ConvertAll(levels, s => NoiseLevel.OfScaled(s)),
            InitNoiseSigma = 1,
        };
    }

    /// <summary>α of a noise level σ/α: 1 / √(σ² + 1).</summary>
    public static double Alpha(double sigma) => 1 / Math.Sqrt(sigma * sigma + 1);
}
