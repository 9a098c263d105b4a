namespace Muse.Diffusion;

/// <summary>How much noise a model was trained with at each timestep, from the betas of its <see cref="SchedulerConfig"/>.</summary>
/// <remarks>Kept in single precision, as the models' trainers did: the last betas of a cosine schedule differ visibly in double.</remarks>
sealed class NoiseSchedule
{
    /// <summary>
    /// What stands for an ᾱ of zero where a ratio needs one above it: a noise level of 4096, as trainers of zero-terminal-SNR models use.
    /// </summary>
    const float SmallestAlphaBar = 1f / (1 << 24);

    readonly float[] alphaBars;
    readonly double[] sigmas;

    public NoiseSchedule(SchedulerConfig config)
    {
        alphaBars = CumulativeProduct(Betas(config));
        if (config.RescaleBetasZeroSnr)
        {
            RescaleToZeroTerminalSnr(alphaBars);
            // A noise prediction says nothing of the clean sample where ᾱ is zero; the others do.
            if (config.PredictionType == PredictionType.Epsilon)
                alphaBars[^1] = SmallestAlphaBar;
        }

        sigmas = Array.ConvertAll(alphaBars, a => (double)MathF.Sqrt((1 - a) / a));
        if (alphaBars[^1] == 0)
            sigmas[^1] = Math.Sqrt((1 - SmallestAlphaBar) / SmallestAlphaBar);
    }

    /// <summary>Timesteps of training.</summary>
    public int Length => alphaBars.Length;

    /// <summary>ᾱ at a timestep: a sample there is √ᾱ·x₀ + √(1 − ᾱ)·ε.</summary>
    public double AlphaBar(int timestep) => alphaBars[timestep];

    /// <summary>The plan of samplers that keep √ᾱ·x₀ + √(1 − ᾱ)·ε and evaluate the denoiser at these whole timesteps.</summary>
    public SamplerPlan PlanOf(int steps, float[] timesteps) => new()
    {
        Steps = steps,
        Timesteps = timesteps,
        Sigmas = [],
        Levels = Array.ConvertAll(timesteps, t => NoiseLevel.OfAlphaBar(AlphaBar((int)t))),
        InitNoiseSigma = 1,
    };

    /// <summary>The least noise, that of timestep 0.</summary>
    public double SigmaMin => sigmas[0];

    /// <summary>The most noise, that of the last timestep.</summary>
    public double SigmaMax => sigmas[^1];

    /// <summary>The noise level √((1 − ᾱ) / ᾱ) at a timestep, linear between whole ones.</summary>
    public double Sigma(double timestep)
    {
        var below = Math.Clamp((int)timestep, 0, Length - 1);
        var above = Math.Min(below + 1, Length - 1);
        return sigmas[below] + (timestep - below) * (sigmas[above] - sigmas[below]);
    }

    /// <summary>The timestep of a noise level, linear in its logarithm.</summary>
    public double Timestep(double sigma)
    {
        var below = Array.BinarySearch(sigmas, sigma);
        if (below < 0)
            below = ~below - 1;
        below = Math.Clamp(below, 0, Length - 2);
        var low = Math.Log(sigmas[below]);
        var high = Math.Log(sigmas[below + 1]);
        return below + Math.Clamp((Math.Log(Math.Max(sigma, 1e-10)) - low) / (high - low), 0, 1);
    }

    /// <summary>
    /// Noise levels from most to least, even in σ^(1/7) (Karras et al., "Elucidating the Design Space", 2022, equation 5).
    /// </summary>
    public static double[] Karras(double max, double min, int steps)
    {
        const double Rho = 7;
        var (start, end) = (Math.Pow(max, 1 / Rho), Math.Pow(min, 1 / Rho));
        var result = new double[steps];
        for (var i = 0; i < steps; i++)
            result[i] = Math.Pow(start + (steps > 1 ? i / (steps - 1.0) : 0) * (end - start), Rho);
        return result;
    }

    static float[] Betas(SchedulerConfig config)
    {
        if (config.TrainedBetas is { } trained)
            return [.. trained];
        var length = config.TrainTimesteps;
        var betas = new float[length];
        for (var t = 0; t < length; t++)
        {
            betas[t] = config.BetaSchedule switch
            {
                BetaSchedule.Linear => Between(config.BetaStart, config.BetaEnd),
                BetaSchedule.ScaledLinear => Square(Between(Math.Sqrt(config.BetaStart), Math.Sqrt(config.BetaEnd))),
                _ => (float)Math.Min(1 - CosineAlphaBar((t + 1.0) / length) / CosineAlphaBar((double)t / length), 0.999),
            };
            float Between(double start, double end) => (float)(start + (end - start) * t / Math.Max(length - 1, 1));
        }

        return betas;

        static float Square(float value) => value * value;

        // Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic Models", 2021, equation 17.
        static double CosineAlphaBar(double t) => Math.Pow(Math.Cos((t + 0.008) / 1.008 * Math.PI / 2), 2);
    }

    static float[] CumulativeProduct(float[] betas)
    {
        var product = 1f;
        return Array.ConvertAll(betas, beta => product *= 1 - beta);
    }

    /// <summary>Shifts √ᾱ so that the last is zero and the first stays (Lin et al., 2023, algorithm 1).</summary>
    static void RescaleToZeroTerminalSnr(float[] alphaBars)
    {
        var first = MathF.Sqrt(alphaBars[0]);
        var last = MathF.Sqrt(alphaBars[^1]);
        for (var t = 0; t < alphaBars.Length; t++)
        {
            var root = (MathF.Sqrt(alphaBars[t]) - last) * (first / (first - last));
            alphaBars[t] = root * root;
        }
    }
}
