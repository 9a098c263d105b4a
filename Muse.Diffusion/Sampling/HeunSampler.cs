using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>
/// Heun's method on the probability-flow ODE in σ (Karras et al., 2022, algorithm 1): each step but the last evaluates the denoiser at both
/// ends.
/// </summary>
/// <remarks>
/// A step from a noise level above <see cref="MaxCorrected"/> (zero-terminal-SNR and cosine schedules begin at 4096 and more) is an Euler
/// step:
/// the trapezoid there multiplies the difference of two predictions of the clean sample by half the ratio of the noise levels, hundreds.
/// </remarks>
sealed class HeunSampler(SchedulerConfig config) : SigmaSampler(config)
{
    const float MaxCorrected = 1000;

    public override string Name => "heun";

    /// <summary>The sample that the step began with, and the clean sample predicted there.</summary>
    public override int HistoryBuffers => 2;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape)
    {
        var euler = base.PlanAll(steps, shape);
        var timesteps = new List<float>();
        var sigmas = new List<float>();
        for (var step = 0; step < steps; step++)
        {
            timesteps.Add(euler.Timesteps[step]);
            sigmas.Add(euler.Sigmas[step]);
            if (step == steps - 1 || euler.Sigmas[step] > MaxCorrected)
                continue;
            timesteps.Add(euler.Timesteps[step + 1]);
            sigmas.Add(euler.Sigmas[step + 1]);
        }

        sigmas.Add(euler.Sigmas[^1]);
        return euler with
        {
            Timesteps = [.. timesteps],
            Sigmas = [.. sigmas],
            Levels = [.. sigmas[..^1].Select(sigma => NoiseLevel.OfUnscaled(sigma))],
        };
    }

    private protected override int FirstEvaluation(SamplerPlan plan, int step)
    {
        var eulerSteps = EulerSteps(plan);
        return step <= eulerSteps ? step : eulerSteps + 2 * (step - eulerSteps);
    }

    public override bool EndsStep(SamplerPlan plan, int i) =>
        i < EulerSteps(plan) || i == plan.Timesteps.Length - 1 || Corrects(plan, i);

    // After the Euler steps, evaluations come in pairs: a step's beginning, its end.
    static bool Corrects(SamplerPlan plan, int i) => i > EulerSteps(plan) && (i - EulerSteps(plan)) % 2 == 1;

    // Every step but these and the last has two evaluations.
    static int EulerSteps(SamplerPlan plan) => 2 * plan.Steps - 1 - plan.Timesteps.Length;

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise)
    {
        var corrects = Corrects(plan, i);
        double sigma = plan.Sigmas[i], next = plan.Sigmas[i + 1];
        var begun = history[..sample.Length];
        var begunX0 = history.Slice(sample.Length, sample.Length);
        var x0Of = X0(plan, i);
        // Of a correction, `sigma` is the far end; the step began at the level before.
        var start = corrects ? plan.Sigmas[i - 1] : sigma;
        var half = corrects ? (sigma - start) / 2 : 0;
        Span<float> scratch = stackalloc float[BlockLength];
        for (var at = 0; at < sample.Length; at += BlockLength)
        {
            var x0 = scratch[..Math.Min(BlockLength, sample.Length - at)];
            var x = sample.Slice(at, x0.Length);
            var beginning = begun.Slice(at, x0.Length);
            var beginningX0 = begunX0.Slice(at, x0.Length);
            x0Of.Write(x, prediction.Slice(at, x0.Length), x0);
            if (ClipSampleRange is { } range)
                TensorPrimitives.Clamp(x0, -range, range, x0);
            if (corrects)
            {
                // begun + half · ((begun − begunX0) / start + (x − x0) / sigma)
                new LinearCombination(half / sigma, -half / sigma).Write(x, x0, x);
                LinearCombination.Accumulate(beginning, 1 + half / start, x);
                LinearCombination.Accumulate(beginningX0, -half / start, x);
            }
            else
            {
                x.CopyTo(beginning);
                x0.CopyTo(beginningX0);
                new LinearCombination(next / sigma, 1 - next / sigma).Write(x, x0, x);
            }
        }
    }
}
