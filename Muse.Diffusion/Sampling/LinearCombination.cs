using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>A weighted sum of the sample and the denoiser's prediction: every quantity that a sampler reads out of them is one.</summary>
/// <param name="Sample">The sample's weight.</param>
/// <param name="Prediction">The prediction's weight.</param>
readonly record struct LinearCombination(double Sample, double Prediction)
{
    /// <summary>The clean sample x₀.</summary>
    public static LinearCombination X0(PredictionType type, NoiseLevel level)
    {
        var (alpha, sigma, scale) = level;
        return type switch
        {
            PredictionType.Epsilon => new(1 / alpha * scale, -sigma / alpha),
            PredictionType.Velocity => new(alpha * scale, -sigma),
            PredictionType.Sample => new(0, 1),
            _ => new(1, -sigma),
        };
    }

    /// <summary>The noise ε, for a sample α·x₀ + σ·ε.</summary>
    public static LinearCombination Noise(PredictionType type, NoiseLevel level)
    {
        var (alpha, sigma, _) = level;
        return type switch
        {
            PredictionType.Epsilon => new(0, 1),
            PredictionType.Velocity => new(sigma, alpha),
            PredictionType.Sample => new(1 / sigma, -alpha / sigma),
            _ => new(1, 1 - sigma),
        };
    }

    /// <summary>The combination, times a factor.</summary>
    public static LinearCombination operator *(double factor, LinearCombination combination) =>
        new(factor * combination.Sample, factor * combination.Prediction);

    /// <summary>The sum of two combinations.</summary>
    public static LinearCombination operator +(LinearCombination left, LinearCombination right) =>
        new(left.Sample + right.Sample, left.Prediction + right.Prediction);

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
