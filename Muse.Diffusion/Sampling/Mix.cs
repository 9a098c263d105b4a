using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>A weighted sum of the sample and the denoiser's prediction: every quantity that a sampler reads out of them is one.</summary>
/// <param name="Sample">The sample's weight.</param>
/// <param name="Prediction">The prediction's weight.</param>
readonly record struct Mix(double Sample, double Prediction)
{
    /// <summary>The clean sample x₀, for a sample α·x₀ + σ·ε.</summary>
    public static Mix Clean(PredictionType type, double alpha, double sigma) => type switch
    {
        PredictionType.Epsilon => new(1 / alpha, -sigma / alpha),
        PredictionType.Velocity => new(alpha, -sigma),
        PredictionType.Sample => new(0, 1),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Flow predictions belong to flow_euler."),
    };

    /// <summary>The noise ε, for a sample α·x₀ + σ·ε.</summary>
    public static Mix Noise(PredictionType type, double alpha, double sigma) => type switch
    {
        PredictionType.Epsilon => new(0, 1),
        PredictionType.Velocity => new(sigma, alpha),
        PredictionType.Sample => new(1 / sigma, -alpha / sigma),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Flow predictions belong to flow_euler."),
    };

    /// <summary>The clean sample x₀, for an unscaled sample x₀ + σ·ε whose denoiser sees it divided by √(σ² + 1).</summary>
    public static Mix CleanOfUnscaled(PredictionType type, double sigma)
    {
        var alpha = 1 / Math.Sqrt(sigma * sigma + 1);
        var clean = Clean(type, alpha, sigma * alpha);
        return clean with { Sample = clean.Sample * alpha };
    }

    /// <summary>The mix, times a factor.</summary>
    public static Mix operator *(double factor, Mix mix) => new(factor * mix.Sample, factor * mix.Prediction);

    /// <summary>The sum of two mixes.</summary>
    public static Mix operator +(Mix left, Mix right) => new(left.Sample + right.Sample, left.Prediction + right.Prediction);

    /// <summary>Writes the sum; the destination may be the sample's memory, not the prediction's.</summary>
    public void Write(ReadOnlySpan<float> sample, ReadOnlySpan<float> prediction, Span<float> destination)
    {
        TensorPrimitives.Multiply(sample, (float)Sample, destination);
        Accumulate(prediction, Prediction, destination);
    }

    /// <summary>Adds a weighted buffer: <c>destination += weight * term</c>.</summary>
    public static void Accumulate(ReadOnlySpan<float> term, double weight, Span<float> destination)
    {
        if (weight != 0)
            TensorPrimitives.MultiplyAdd(term, (float)weight, destination, destination);
    }
}
