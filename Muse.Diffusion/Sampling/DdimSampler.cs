using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>DDIM without fresh noise (Song et al., "Denoising Diffusion Implicit Models", 2020, equation 12 with σ = 0).</summary>
sealed class DdimSampler(SchedulerConfig config) : Sampler(config.PredictionType)
{
    readonly NoiseSchedule schedule = new(config);

    public override string Name => "ddim";

    public override int HistoryBuffers => 0;

    public override int MaxSteps => schedule.Length;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape)
    {
        var timesteps = Timesteps.Of(config.TimestepSpacing ?? TimestepSpacing.Leading, schedule.Length, steps, config.StepsOffset);
        return schedule.PlanOf(steps, Array.ConvertAll(timesteps, t => (float)Math.Round(t)));
    }

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise)
    {
        var timestep = (int)plan.Timesteps[i];
        var level = plan.Levels[i];
        var target = TargetAlphaBar(schedule, timestep - schedule.Length / plan.Steps, config.SetAlphaToOne ?? true);
        var x0Of = X0(plan, i);
        if (config.ClipSampleRange is not { } range)
        {
            Transfer(PredictionType, level, target).Write(sample, prediction, sample);
            return;
        }

        var direction = Math.Sqrt(1 - target) * LinearCombination.Noise(PredictionType, level);
        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < sample.Length; start += BlockLength)
        {
            var length = Math.Min(BlockLength, sample.Length - start);
            var x = sample.Slice(start, length);
            var p = prediction.Slice(start, length);
            var x0 = scratch[..length];
            x0Of.Write(x, p, x0);
            TensorPrimitives.Clamp(x0, -range, range, x0);
            direction.Write(x, p, x);
            LinearCombination.Accumulate(x0, Math.Sqrt(target), x);
        }
    }

    /// <summary>ᾱ at the timestep a step leads to; below timestep 0 it is that of no noise or of timestep 0.</summary>
    internal static double TargetAlphaBar(NoiseSchedule schedule, int timestep, bool noiseless) =>
        timestep >= 0 ? schedule.AlphaBar(timestep) : noiseless ? 1 : schedule.AlphaBar(0);

    /// <summary>The step from a noise level to an ᾱ: the same clean sample and noise, added in other shares.</summary>
    internal static LinearCombination Transfer(PredictionType type, NoiseLevel level, double target) =>
        Math.Sqrt(target) * LinearCombination.X0(type, level) + Math.Sqrt(1 - target) * LinearCombination.Noise(type, level);
}
