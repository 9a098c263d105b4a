namespace Muse.Diffusion;

/// <summary>
/// Euler's method for flow-matching models, whose sample is (1 − σ)·x₀ + σ·ε, with noise levels shifted towards noise (Esser et al.,
/// "Scaling Rectified Flow Transformers", 2024, equation 23).
/// </summary>
sealed class FlowEulerSampler(SchedulerConfig config) : Sampler(config.PredictionType)
{
    // Of both parameters of the beta distribution (use_beta_sigmas; Lee et al., https://arxiv.org/abs/2407.12173).
    const double BetaParameter = 0.6;

    public override string Name => "flow_euler";

    public override int HistoryBuffers => 0;

    public override int MaxSteps => config.TrainTimesteps;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape)
    {
        var sigmas = Array.ConvertAll(SigmasOf(steps, shape), sigma => (float)(config.InvertSigmas ? 1 - sigma : sigma));
        var timesteps = Array.ConvertAll(sigmas, sigma => sigma * config.TrainTimesteps);
        return new SamplerPlan
        {
            Steps = steps,
            // The multistep classes keep their timesteps as whole numbers.
            Timesteps = config.FlowGrid == FlowGrid.Multistep ? Array.ConvertAll(timesteps, MathF.Truncate) : timesteps,
            Sigmas = [.. sigmas, config.InvertSigmas ? 1 : 0],
            Levels = Array.ConvertAll(sigmas, sigma => NoiseLevel.OfFlow(config.InvertSigmas ? 1 - sigma : sigma)),
            InitNoiseSigma = 1,
        };
    }

    public override bool RoundsStepsUp => true;

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise) =>
        LinearCombination.Accumulate(prediction, plan.Sigmas[i + 1] - plan.Sigmas[i], sample);

    // With inverted levels the model predicts x₀ − ε.
    private protected override LinearCombination X0(SamplerPlan plan, int i) =>
        config.InvertSigmas ? new(1, plan.Levels[i].Noise) : base.X0(plan, i);

    // In the order of FlowMatchEulerDiscreteScheduler.set_timesteps.
    double[] SigmasOf(int steps, LatentShape shape)
    {
        var shift = config.DynamicShift?.FactorFor(shape) ?? config.Shift;
        var sigmas = new double[steps];
        for (var i = 0; i < steps; i++)
            sigmas[i] = Shifted(Even(i, steps), shift);
        if (config.ShiftTerminal is { } terminal)
            Stretch(sigmas, terminal);
        var (most, least) = (sigmas[0], sigmas[^1]);
        if (config.UseKarrasSigmas && config.FlowGrid != FlowGrid.Multistep)
            return NoiseSchedule.Karras(most, least, steps);
        if (config.UseExponentialSigmas)
            return Spread(steps, share => most * Math.Pow(least / most, share));
        if (config.UseBetaSigmas)
            return Spread(steps, share => least + (most - least) * BetaDistribution.Quantile(1 - share, BetaParameter));
        return sigmas;
    }

    double Even(int i, int steps) => config.FlowGrid switch
    {
        FlowGrid.Even => 1 - (double)i / steps,
        FlowGrid.Multistep => (1 - 1.0 / config.TrainTimesteps) * (steps - i) / steps,
        // The range ends at the shifted 1/T, and all of it is shifted once more. A dynamic shift is not known yet where it begins.
        _ => steps > 1 ? 1 + (Least - 1) * i / (steps - 1) : 1,
    };

    double Least => config.DynamicShift is null ? Shifted(1.0 / config.TrainTimesteps, config.Shift) : 1.0 / config.TrainTimesteps;

    static double Shifted(double sigma, double shift) => shift * sigma / (1 + (shift - 1) * sigma);

    // Moves the last level to the terminal, and the others in proportion to their distance from 1.
    static void Stretch(double[] sigmas, double terminal)
    {
        if (sigmas[^1] == 1)
            return;
        var factor = (1 - terminal) / (1 - sigmas[^1]);
        for (var i = 0; i < sigmas.Length; i++)
            sigmas[i] = 1 - (1 - sigmas[i]) * factor;
    }

    static double[] Spread(int steps, Func<double, double> sigma) =>
        [.. Enumerable.Range(0, steps).Select(i => sigma(steps > 1 ? i / (steps - 1.0) : 0))];
}
