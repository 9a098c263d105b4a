namespace Muse.Diffusion;

/// <summary>Euler's method on the probability-flow ODE in σ (Karras et al., 2022, algorithm 2 without churn).</summary>
sealed class EulerSampler(SchedulerConfig config) : SigmaSampler(config)
{
    public override string Name => "euler";

    public override int HistoryBuffers => 0;

    protected override bool AlwaysEndsAtZero => false;

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise) =>
        StepTo(plan.Sigmas[i + 1], plan.Sigmas[i], PredictionType).Write(sample, prediction, sample);

    /// <summary>The step from a noise level to a lower one: along the line from the sample to the clean one.</summary>
    internal static LinearCombination StepTo(double next, double sigma, PredictionType type)
    {
        var kept = next / sigma;
        return new LinearCombination(kept, 0) + (1 - kept) * LinearCombination.X0(type, NoiseLevel.OfUnscaled(sigma));
    }
}
