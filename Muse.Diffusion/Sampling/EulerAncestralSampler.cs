namespace Muse.Diffusion;

/// <summary>
/// Euler steps that go below the next noise level and come back up with fresh noise (ancestral sampling in σ, as in k-diffusion).
/// </summary>
sealed class EulerAncestralSampler(SchedulerConfig config) : SigmaSampler(config)
{
    public override string Name => "euler_a";

    public override int HistoryBuffers => 0;

    protected override bool UseKarrasSigmas => false;

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise)
    {
        double sigma = plan.Sigmas[i], next = plan.Sigmas[i + 1];
        // fresh² + down² = next²: as much noise as the model expects there.
        var fresh = next * Math.Sqrt(1 - next * next / (sigma * sigma));
        var down = next * next / sigma;
        EulerSampler.StepTo(down, sigma, PredictionType).Write(sample, prediction, sample);
        if (fresh == 0)
            return;

        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < sample.Length; start += BlockLength)
        {
            var block = scratch[..Math.Min(BlockLength, sample.Length - start)];
            noise.Fill(i, start, block);
            LinearCombination.Accumulate(block, fresh, sample.Slice(start, block.Length));
        }
    }
}
