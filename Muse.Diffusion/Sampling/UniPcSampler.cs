namespace Muse.Diffusion;

/// <summary>
/// UniPC, predictor and corrector on the clean sample, of order 1 to 3 (Zhao et al., "UniPC: A Unified Predictor-Corrector Framework",
/// 2023).
/// </summary>
/// <remarks>With λ = −ln σ a step's <c>exp(−h)</c> is the ratio of its noise levels.</remarks>
sealed class UniPcSampler(SchedulerConfig config) : Sampler(config.PredictionType)
{
    readonly NoiseSchedule schedule = new(config);
    readonly int maxOrder = config.SolverOrder;

    public override string Name => "unipc";

    /// <summary>The last corrected sample, and a ring of the clean samples before.</summary>
    public override int HistoryBuffers => 1 + maxOrder;

    public override int MaxSteps => schedule.Length - 1;

    private protected override SamplerPlan PlanAll(int steps, LatentShape shape) =>
        MultistepPlan.Of(config, schedule, config.UseKarrasSigmas, steps, Math.Round);

    public override void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise)
    {
        var x0Of = X0(plan, i);
        var length = sample.Length;
        var n = i - plan.FirstEvaluation;
        var corrected = history[..length];
        var ring = history[length..];

        // Weights of the clean samples, from the newest back, after that of the sample.
        Span<double> predictor = stackalloc double[maxOrder + 1];
        Predict(plan, i, Order(plan, i), predictor);
        Span<double> corrector = stackalloc double[maxOrder + 2];
        if (n > 0)
            Correct(plan, i, Order(plan, i - 1), corrector);

        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < length; start += BlockLength)
        {
            var x0 = scratch[..Math.Min(BlockLength, length - start)];
            var x = sample.Slice(start, x0.Length);
            x0Of.Write(x, prediction.Slice(start, x0.Length), x0);
            if (n > 0)
            {
                new LinearCombination(corrector[0], corrector[1]).Write(corrected.Slice(start, x0.Length), x0, x);
                for (var k = 1; k <= Math.Min(n, maxOrder); k++)
                    LinearCombination.Accumulate(Before(ring, k, start, x0.Length), corrector[k + 1], x);
            }

            x.CopyTo(corrected[start..]);
            new LinearCombination(predictor[0], predictor[1]).Write(x, x0, x);
            for (var k = 1; k <= Math.Min(n, maxOrder - 1); k++)
                LinearCombination.Accumulate(Before(ring, k, start, x0.Length), predictor[k + 1], x);
            x0.CopyTo(Before(ring, 0, start, x0.Length));
        }

        Span<float> Before(Span<float> predictions, int evaluations, int start, int count) =>
            predictions.Slice((n - evaluations) % maxOrder * length + start, count);
    }

    /// <summary>The order of the step from an evaluation: it grows with the predictions at hand and falls towards the end.</summary>
    int Order(SamplerPlan plan, int i)
    {
        var order = Math.Min(maxOrder, i - plan.FirstEvaluation + 1);
        if (config.LowerOrderFinal)
            order = Math.Min(order, plan.Steps - i);
        return plan.Sigmas[i + 1] == 0 ? 1 : order;
    }

    void Predict(SamplerPlan plan, int i, int order, Span<double> weights)
    {
        weights.Clear();
        double sigma = plan.Sigmas[i], next = plan.Sigmas[i + 1];
        var (alphaNext, phi) = Base(sigma, next, weights);
        if (order == 1)
            return;

        var h = Math.Log(sigma / next);
        Span<double> ratios = stackalloc double[order - 1];
        for (var k = 1; k < order; k++)
            ratios[k - 1] = Math.Log(sigma / plan.Sigmas[i - k]) / h;
        Span<double> rho = stackalloc double[order - 1];
        // ½ is the simplified weight of the method's authors, of the same order of accuracy.
        if (order == 2)
            rho[0] = 0.5;
        else
            Solve(ratios, h, rho);
        Differences(ratios, rho, alphaNext * Scale(h, phi), weights[1..]);
    }

    void Correct(SamplerPlan plan, int i, int order, Span<double> weights)
    {
        weights.Clear();
        double sigma = plan.Sigmas[i - 1], reached = plan.Sigmas[i];
        var (alpha, phi) = Base(sigma, reached, weights);
        // The newest clean sample is the one just predicted; the base belongs to the one before.
        (weights[1], weights[2]) = (0, weights[1]);

        var h = Math.Log(sigma / reached);
        Span<double> ratios = stackalloc double[order];
        for (var k = 1; k < order; k++)
            ratios[k - 1] = Math.Log(sigma / plan.Sigmas[i - 1 - k]) / h;
        ratios[^1] = 1;
        Span<double> rho = stackalloc double[order];
        if (order == 1)
            rho[0] = 0.5;
        else
            Solve(ratios, h, rho);
        var scale = alpha * Scale(h, phi);
        Differences(ratios[..^1], rho[..^1], scale, weights[2..]);
        weights[1] -= scale * rho[^1];
        weights[2] += scale * rho[^1];
    }

    /// <summary>The first-order step: its weights of the sample and the clean sample, the target's α, and e^(−h) − 1.</summary>
    static (double Alpha, double Phi) Base(double sigma, double next, Span<double> weights)
    {
        var alpha = MultistepPlan.Alpha(next);
        var phi = next / sigma - 1;
        weights[0] = next * alpha / (sigma * MultistepPlan.Alpha(sigma));
        weights[1] = -alpha * phi;
        return (alpha, phi);
    }

    /// <summary>Subtracts <c>scale · Σ ρ (m_k − m_0) / r_k</c>.</summary>
    static void Differences(ReadOnlySpan<double> ratios, ReadOnlySpan<double> rho, double scale, Span<double> weights)
    {
        for (var k = 0; k < ratios.Length; k++)
        {
            var weight = scale * rho[k] / ratios[k];
            weights[k + 1] -= weight;
            weights[0] += weight;
        }
    }

    double Scale(double h, double phi) => config.SolverType == "bh1" ? -h : phi;

    /// <summary>The weights ρ with Σ ρ_k r_k^(n−1) = n! φ_(n+1)(−h) · (−h) / B(h): at most three.</summary>
    void Solve(ReadOnlySpan<double> ratios, double h, Span<double> rho)
    {
        var size = rho.Length;
        Span<double> matrix = stackalloc double[size * size];
        var phi = Math.Exp(-h) - 1;
        var term = phi / -h - 1;
        var factorial = 1.0;
        for (var n = 0; n < size; n++)
        {
            for (var k = 0; k < size; k++)
                matrix[n * size + k] = Math.Pow(ratios[k], n);
            rho[n] = term * factorial / Scale(h, phi);
            factorial *= n + 2;
            term = term / -h - 1 / factorial;
        }

        LinearSystem.Solve(matrix, rho, columns: 1);
    }
}
