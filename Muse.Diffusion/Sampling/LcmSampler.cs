using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>
/// Multistep consistency sampling: each evaluation predicts the clean sample, which gets fresh noise for the next (Luo et al., "Latent
/// Consistency Models", 2023, algorithm 3).
/// </summary>
sealed class LcmSampler(SchedulerConfig config) : Sampler(config.PredictionType)
{
    /// <summary>The data's standard deviation in the boundary condition.</summary>
    const double SigmaData = 0.5;

    readonly NoiseSchedule schedule = new(config);

    public override string Name => "lcm";

    public override int HistoryBuffers => 0;

    public override int MaxSteps => config.OriginalInferenceSteps;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape)
    {
        var original = config.OriginalInferenceSteps;
        var stride = schedule.Length / original;
        var timesteps = new float[steps];
        for (var i = 0; i < steps; i++)
            timesteps[i] = (original - i * original / steps) * stride - 1;
        return schedule.PlanOf(steps, timesteps);
    }

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise)
    {
        var timestep = (int)plan.Timesteps[i];
        var x0 = X0(plan, i);
        var scaled = timestep * config.TimestepScaling;
        var norm = scaled * scaled + SigmaData * SigmaData;
        var boundary = new LinearCombination(SigmaData * SigmaData / norm, scaled / Math.Sqrt(norm));
        var isLast = i == plan.Steps - 1;
        var target = isLast ? 1 : schedule.AlphaBar((int)plan.Timesteps[i + 1]);

        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < sample.Length; start += BlockLength)
        {
            var block = scratch[..Math.Min(BlockLength, sample.Length - start)];
            var x = sample.Slice(start, block.Length);
            x0.Write(x, prediction.Slice(start, block.Length), block);
            if (config.ClipSampleRange is { } range)
                TensorPrimitives.Clamp(block, -range, range, block);
            (Math.Sqrt(target) * boundary).Write(x, block, x);
            if (isLast)
                continue;
            noise.Fill(i, start, block);
            LinearCombination.Accumulate(block, Math.Sqrt(1 - target), x);
        }
    }
}
