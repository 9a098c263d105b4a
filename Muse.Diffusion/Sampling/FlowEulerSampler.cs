namespace Muse.Diffusion;

/// <summary>
/// Euler's method for flow-matching models, whose sample is (1 − σ)·x₀ + σ·ε, with noise levels shifted towards noise (Esser et al.,
/// "Scaling Rectified Flow Transformers", 2024, equation 23).
/// </summary>
sealed class FlowEulerSampler(SchedulerConfig config) : Sampler(config.PredictionType)
{
    public override string Name => "flow_euler";

    public override int HistoryBuffers => 0;

    public override int MaxSteps => config.TrainTimesteps;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape)
    {
        var sigmas = new float[steps + 1];
        for (var i = 0; i < steps; i++)
            sigmas[i] = (float)Shifted(config.FlowGrid == FlowGrid.FlowMatch ? FlowMatch(i, steps) : Multistep(i, steps));
        var timesteps = Array.ConvertAll(sigmas[..steps], sigma => sigma * config.TrainTimesteps);
        return new SamplerPlan
        {
            Steps = steps,
            // The multistep classes keep their timesteps as whole numbers.
            Timesteps = config.FlowGrid == FlowGrid.FlowMatch ? timesteps : Array.ConvertAll(timesteps, MathF.Truncate),
            Sigmas = sigmas,
            Levels = Array.ConvertAll(sigmas[..steps], sigma => NoiseLevel.OfFlow(sigma)),
            InitNoiseSigma = 1,
        };
    }

    public override bool RoundsStepsUp => true;

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise) =>
        LinearCombination.Accumulate(prediction, plan.Sigmas[i + 1] - plan.Sigmas[i], sample);

    // As diffusers has it: the range ends at the shifted 1/T, and all of it is shifted once more.
    double FlowMatch(int i, int steps) => steps > 1 ? 1 + (Shifted(1.0 / config.TrainTimesteps) - 1) * i / (steps - 1) : 1;

    double Multistep(int i, int steps) => (1 - 1.0 / config.TrainTimesteps) * (steps - i) / steps;

    double Shifted(double sigma) => config.Shift * sigma / (1 + (config.Shift - 1) * sigma);
}
