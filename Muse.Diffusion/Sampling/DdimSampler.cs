using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>DDIM without fresh noise (Song et al., "Denoising Diffusion Implicit Models", 2020, equation 12 with σ = 0).</summary>
sealed class DdimSampler(SchedulerConfig config) : Sampler
{
    readonly NoiseSchedule schedule = new(config);

    public override string Name => "ddim";

    public override int HistoryBuffers => 0;

    public override int MaxSteps => schedule.Length;

    public override SamplerPlan Plan(int steps)
    {
        CheckSteps(steps);
        var timesteps = Timesteps.Of(config.TimestepSpacing ?? TimestepSpacing.Leading, schedule.Length, steps, config.StepsOffset);
        return new SamplerPlan { Steps = steps, Timesteps = Array.ConvertAll(timesteps, t => (float)Math.Round(t)), Sigmas = [], InitNoiseSigma = 1 };
    }

    public override void ScaleModelInput(SamplerPlan plan, int i, ReadOnlySpan<float> sample, Span<float> modelInput) => sample.CopyTo(modelInput);

    private protected override Mix Clean(SamplerPlan plan, int i)
    {
        var alphaBar = schedule.AlphaBar((int)plan.Timesteps[i]);
        return Mix.Clean(config.PredictionType, Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));
    }

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history, INoiseSource noise)
    {
        var timestep = (int)plan.Timesteps[i];
        var alphaBar = schedule.AlphaBar(timestep);
        var target = TargetAlphaBar(schedule, timestep - schedule.Length / plan.Steps, config.SetAlphaToOne ?? true);
        var clean = Clean(plan, i);
        if (config.ClipSampleRange is not { } range)
        {
            Transfer(config.PredictionType, alphaBar, target).Write(sample, prediction, sample);
            return;
        }

        var direction = Math.Sqrt(1 - target) * Mix.Noise(config.PredictionType, Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));
        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < sample.Length; start += BlockLength)
        {
            var length = Math.Min(BlockLength, sample.Length - start);
            var x = sample.Slice(start, length);
            var p = prediction.Slice(start, length);
            var x0 = scratch[..length];
            clean.Write(x, p, x0);
            TensorPrimitives.Clamp(x0, -range, range, x0);
            direction.Write(x, p, x);
            Mix.Accumulate(x0, Math.Sqrt(target), x);
        }
    }

    /// <summary>ᾱ at the timestep a step leads to; below timestep 0 it is that of no noise or of timestep 0.</summary>
    internal static double TargetAlphaBar(NoiseSchedule schedule, int timestep, bool noiseless) =>
        timestep >= 0 ? schedule.AlphaBar(timestep) : noiseless ? 1 : schedule.AlphaBar(0);

    /// <summary>The step from one ᾱ to another: the same clean sample and noise, mixed anew.</summary>
    internal static Mix Transfer(PredictionType type, double alphaBar, double target)
    {
        var (alpha, sigma) = (Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));
        return Math.Sqrt(target) * Mix.Clean(type, alpha, sigma) + Math.Sqrt(1 - target) * Mix.Noise(type, alpha, sigma);
    }
}
