using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>
/// PNDM's linear multistep method (PLMS): DDIM steps along an Adams–Bashforth average of predictions (Liu et al., "Pseudo Numerical Methods
/// for Diffusion Models", 2022, without the Runge–Kutta start).
/// </summary>
/// <remarks>The first step is evaluated at both ends (improved Euler): a run has one evaluation more than steps.</remarks>
sealed class PndmSampler(SchedulerConfig config) : Sampler(config.PredictionType)
{
    readonly NoiseSchedule schedule = new(config);

    public override string Name => "pndm";

    /// <summary>The three predictions before, in a ring; the second of it first holds the sample that the run began with.</summary>
    public override int HistoryBuffers => 3;

    public override int MaxSteps => schedule.Length;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape)
    {
        var timesteps = Timesteps.Of(config.TimestepSpacing ?? TimestepSpacing.Leading, schedule.Length, steps, config.StepsOffset)
            .Select(t => (float)Math.Round(t)).ToList();
        if (steps > 1)
            timesteps.Insert(1, timesteps[1]);
        return schedule.PlanOf(steps, [.. timesteps]);
    }

    public override bool EndsStep(SamplerPlan plan, int i) => i > plan.FirstEvaluation || plan.Timesteps.Length == 1;

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise)
    {
        var stride = schedule.Length / plan.Steps;
        // Counted from the run's first evaluation: a run from an image has a first and a second one too.
        var n = i - plan.FirstEvaluation;
        var from = (int)plan.Timesteps[i] + (n == 1 ? stride : 0);
        var level = NoiseLevel.OfAlphaBar(schedule.AlphaBar(Math.Min(from, schedule.Length - 1)));
        var target = DdimSampler.TargetAlphaBar(schedule, from - stride, config.SetAlphaToOne ?? false);
        var transfer = DdimSampler.Transfer(PredictionType, level, target);

        // The second evaluation repeats the first step and is not kept, so that offsets in the ring are one behind from there on.
        var length = sample.Length;
        var latest = history.Slice(Offset(n - 1), length);
        var second = history.Slice(Offset(n - 2), length);
        var third = history.Slice(Offset(n - 3), length);
        var weights = Weights(n);

        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < length; start += BlockLength)
        {
            var average = scratch[..Math.Min(BlockLength, length - start)];
            var x = sample.Slice(start, average.Length);
            var p = prediction.Slice(start, average.Length);
            TensorPrimitives.Multiply(p, (float)weights.Current, average);
            LinearCombination.Accumulate(latest.Slice(start, average.Length), weights.Latest, average);
            LinearCombination.Accumulate(second.Slice(start, average.Length), weights.Second, average);
            LinearCombination.Accumulate(third.Slice(start, average.Length), weights.Third, average);
            if (n == 0)
                x.CopyTo(history.Slice(length + start, average.Length));
            if (n == 1)
                history.Slice(length + start, average.Length).CopyTo(x);
            else
                p.CopyTo(history.Slice(Offset(n) + start, average.Length));
            transfer.Write(x, average, x);
        }

        int Offset(int evaluation) => (evaluation <= 1 ? 0 : (evaluation - 1) % 3) * length;
    }

    /// <summary>Adams–Bashforth weights of as many predictions as there are at an evaluation.</summary>
    static (double Current, double Latest, double Second, double Third) Weights(int evaluation) => evaluation switch
    {
        0 => (1, 0, 0, 0),
        1 => (1.0 / 2, 1.0 / 2, 0, 0),
        2 => (3.0 / 2, -1.0 / 2, 0, 0),
        3 => (23.0 / 12, -16.0 / 12, 5.0 / 12, 0),
        _ => (55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24),
    };
}
