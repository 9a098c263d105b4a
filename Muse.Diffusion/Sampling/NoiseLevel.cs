namespace Muse.Diffusion;

/// <summary>
/// How much of the clean sample x₀ and of the noise ε a sample holds: (<paramref name="Signal"/>·x₀ + <paramref name="Noise"/>·ε) /
/// <paramref name="InputScale"/>.
/// </summary>
/// <param name="Signal">The weight of x₀ in what the denoiser sees.</param>
/// <param name="Noise">The weight of ε in what the denoiser sees.</param>
/// <param name="InputScale">What the sample is multiplied by for the denoiser: 1 except for samplers that keep x₀ + σ·ε.</param>
public readonly record struct NoiseLevel(double Signal, double Noise, double InputScale = 1)
{
    /// <summary>The level of a sample √ᾱ·x₀ + √(1 − ᾱ)·ε.</summary>
    public static NoiseLevel OfAlphaBar(double alphaBar) => new(Math.Sqrt(alphaBar), Math.Sqrt(1 - alphaBar));

    /// <summary>The level of a sample α·x₀ + σ·α·ε with α = 1/√(σ² + 1).</summary>
    public static NoiseLevel OfScaled(double sigma)
    {
        var alpha = 1 / Math.Sqrt(sigma * sigma + 1);
        return new NoiseLevel(alpha, sigma * alpha);
    }

    /// <summary>The level of a sample x₀ + σ·ε, which the denoiser sees divided by √(σ² + 1).</summary>
    public static NoiseLevel OfUnscaled(double sigma)
    {
        var alpha = 1 / Math.Sqrt(sigma * sigma + 1);
        return new NoiseLevel(alpha, sigma * alpha, alpha);
    }

    /// <summary>The level of a sample (1 − σ)·x₀ + σ·ε.</summary>
    public static NoiseLevel OfFlow(double sigma) => new(1 - sigma, sigma);
}
