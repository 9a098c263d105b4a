namespace Muse.Diffusion;

/// <summary>
/// DPM-Solver++, multistep, of first and second order, with or without fresh noise (Lu et al., "DPM-Solver++", 2022, algorithm 2).
/// </summary>
/// <remarks>With λ = −ln σ, <c>exp(−h)</c> of a step is the ratio of its noise levels, which stays finite down to zero.</remarks>
sealed class DpmppSampler(SchedulerConfig config, bool karras, bool stochastic) : Sampler(config.PredictionType)
{
    /// <summary>The highest order that there is.</summary>
    internal const int MaxOrder = 2;

    readonly NoiseSchedule schedule = new(config);

    public override string Name { get; } = "dpmpp_2m" + (stochastic ? "_sde" : "") + (karras ? "_karras" : "");

    /// <summary>The clean sample of the evaluation before.</summary>
    public override int HistoryBuffers => 1;

    public override int MaxSteps => schedule.Length - 1;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape) =>
        MultistepPlan.Of(config, schedule, karras, steps, t => config.BetaSchedule == BetaSchedule.Cosine ? Math.Truncate(t)
            : Math.Round(t));

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise)
    {
        double sigma = plan.Sigmas[i], next = plan.Sigmas[i + 1];
        var (alpha, alphaNext) = (MultistepPlan.Alpha(sigma), MultistepPlan.Alpha(next));
        var x0 = X0(plan, i);
        var ratio = next / sigma;
        var decay = stochastic ? ratio * ratio : ratio;
        var kept = next * alphaNext / (sigma * alpha) * (stochastic ? ratio : 1);
        var drawn = stochastic ? next * alphaNext * Math.Sqrt(1 - decay) : 0;
        var current = alphaNext * (1 - decay);
        var previous = 0.0;
        if (IsSecondOrder(plan, i))
        {
            var h = Math.Log(sigma / next);
            var r = Math.Log(plan.Sigmas[i - 1] / sigma) / h;
            var slope = config.SolverType == "heun" ? alphaNext * ((1 - decay) / Math.Log(decay) + 1) : 0.5 * current;
            current += slope / r;
            previous = -slope / r;
        }

        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < sample.Length; start += BlockLength)
        {
            var length = Math.Min(BlockLength, sample.Length - start);
            var x = sample.Slice(start, length);
            var before = history.Slice(start, length);
            var block = scratch[..length];
            x0.Write(x, prediction.Slice(start, length), block);
            new LinearCombination(kept, current).Write(x, block, x);
            LinearCombination.Accumulate(before, previous, x);
            block.CopyTo(before);
            if (drawn == 0)
                continue;
            noise.Fill(i, start, block);
            LinearCombination.Accumulate(block, drawn, x);
        }
    }

    bool IsSecondOrder(SamplerPlan plan, int i)
    {
        if (config.SolverOrder == 1 || i == plan.FirstEvaluation)
            return false;
        if (i < plan.Steps - 1)
            return true;
        return !(config.EulerAtFinal || config.FinalSigmaIsZero || (config.LowerOrderFinal && plan.Steps < 15));
    }
}
