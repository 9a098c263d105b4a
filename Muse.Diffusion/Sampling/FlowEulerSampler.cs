namespace Muse.Diffusion;

/// <summary>Euler's method for flow-matching models, whose sample is (1 − σ)·x₀ + σ·ε, with noise levels shifted towards noise (Esser et al., "Scaling Rectified Flow Transformers", 2024, equation 23).</summary>
sealed class FlowEulerSampler(SchedulerConfig config) : Sampler
{
    public override string Name => "flow_euler";

    public override int HistoryBuffers => 0;

    public override int MaxSteps => config.TrainTimesteps;

    public override SamplerPlan Plan(int steps)
    {
        CheckSteps(steps);
        // As diffusers has it: the range ends at the shifted 1/T, and all of it is shifted once more.
        var least = Shifted(1.0 / config.TrainTimesteps);
        var sigmas = new float[steps + 1];
        for (var i = 0; i < steps; i++)
            sigmas[i] = (float)Shifted(steps > 1 ? 1 + (least - 1) * i / (steps - 1) : 1);
        return new SamplerPlan
        {
            Steps = steps,
            Timesteps = [.. sigmas[..steps].Select(sigma => sigma * config.TrainTimesteps)],
            Sigmas = sigmas,
            InitNoiseSigma = 1,
        };
    }

    public override void ScaleModelInput(SamplerPlan plan, int i, ReadOnlySpan<float> sample, Span<float> modelInput) => sample.CopyTo(modelInput);

    private protected override Mix Clean(SamplerPlan plan, int i) => new(1, -plan.Sigmas[i]);

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history, INoiseSource noise) =>
        Mix.Accumulate(prediction, plan.Sigmas[i + 1] - plan.Sigmas[i], sample);

    double Shifted(double sigma) => config.Shift * sigma / (1 + (config.Shift - 1) * sigma);
}
