using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>PNDM's linear multistep method (PLMS): DDIM steps along an Adams–Bashforth average of predictions (Liu et al., "Pseudo Numerical Methods for Diffusion Models", 2022, without the Runge–Kutta start).</summary>
/// <remarks>The first step is evaluated at both ends (improved Euler): a run has one evaluation more than steps.</remarks>
sealed class PndmSampler(SchedulerConfig config) : Sampler
{
    readonly NoiseSchedule schedule = new(config);

    public override string Name => "pndm";

    /// <summary>The three predictions before, in a ring; the second place first holds the sample that the run began with.</summary>
    public override int HistoryBuffers => 3;

    public override int MaxSteps => schedule.Length;

    public override SamplerPlan Plan(int steps)
    {
        CheckSteps(steps);
        var timesteps = Timesteps.Of(config.TimestepSpacing ?? TimestepSpacing.Leading, schedule.Length, steps, config.StepsOffset)
            .Select(t => (float)Math.Round(t)).ToList();
        if (steps > 1)
            timesteps.Insert(1, timesteps[1]);
        return new SamplerPlan { Steps = steps, Timesteps = [.. timesteps], Sigmas = [], InitNoiseSigma = 1 };
    }

    public override void ScaleModelInput(SamplerPlan plan, int i, ReadOnlySpan<float> sample, Span<float> modelInput) => sample.CopyTo(modelInput);

    private protected override Mix Clean(SamplerPlan plan, int i)
    {
        var alphaBar = schedule.AlphaBar((int)plan.Timesteps[i]);
        return Mix.Clean(config.PredictionType, Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));
    }

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history, INoiseSource noise)
    {
        var stride = schedule.Length / plan.Steps;
        var from = (int)plan.Timesteps[i] + (i == 1 ? stride : 0);
        var alphaBar = schedule.AlphaBar(Math.Min(from, schedule.Length - 1));
        var target = DdimSampler.TargetAlphaBar(schedule, from - stride, config.SetAlphaToOne ?? false);
        var transfer = DdimSampler.Transfer(config.PredictionType, alphaBar, target);

        // The second evaluation repeats the first step and is not kept, so that places in the ring run one behind from there on.
        var length = sample.Length;
        var latest = history.Slice(Place(i - 1), length);
        var second = history.Slice(Place(i - 2), length);
        var third = history.Slice(Place(i - 3), length);
        var weights = Weights(i);

        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < length; start += BlockLength)
        {
            var average = scratch[..Math.Min(BlockLength, length - start)];
            var x = sample.Slice(start, average.Length);
            var p = prediction.Slice(start, average.Length);
            TensorPrimitives.Multiply(p, (float)weights.Current, average);
            Mix.Accumulate(latest.Slice(start, average.Length), weights.Latest, average);
            Mix.Accumulate(second.Slice(start, average.Length), weights.Second, average);
            Mix.Accumulate(third.Slice(start, average.Length), weights.Third, average);
            if (i == 0)
                x.CopyTo(history.Slice(length + start, average.Length));
            if (i == 1)
                history.Slice(length + start, average.Length).CopyTo(x);
            else
                p.CopyTo(history.Slice(Place(i) + start, average.Length));
            transfer.Write(x, average, x);
        }

        int Place(int evaluation) => (evaluation <= 1 ? 0 : (evaluation - 1) % 3) * length;
    }

    /// <summary>Adams–Bashforth weights of as many predictions as there are at an evaluation.</summary>
    static (double Current, double Latest, double Second, double Third) Weights(int i) => i switch
    {
        0 => (1, 0, 0, 0),
        1 => (1.0 / 2, 1.0 / 2, 0, 0),
        2 => (3.0 / 2, -1.0 / 2, 0, 0),
        3 => (23.0 / 12, -16.0 / 12, 5.0 / 12, 0),
        _ => (55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24),
    };
}
