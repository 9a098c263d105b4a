using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>Applies the weights of tokens to a text encoder's states, as AUTOMATIC1111's web UI does by default.</summary>
static class TokenWeights
{
    /// <summary>Beyond this factor the mean is not restored: the weighted mean is too near to 0.</summary>
    const double MaxFactor = 30;

    /// <summary>Multiplies the states of each token by its weight, then all states by the factor that restores their mean.</summary>
    /// <param name="states">One chunk's states, tokens × width. The mean is that of all of them, padding included.</param>
    /// <param name="weights">A weight for each token.</param>
    public static void Apply(Span<float> states, ReadOnlySpan<float> weights)
    {
        if (!weights.ContainsAnyExcept(1f))
            return;
        var width = states.Length / weights.Length;
        var before = Sum(states);
        for (var token = 0; token < weights.Length; token++)
        {
            var row = states.Slice(token * width, width);
            TensorPrimitives.Multiply(row, weights[token], row);
        }
        var factor = before / Sum(states);
        if (Math.Abs(factor) <= MaxFactor)
            TensorPrimitives.Multiply(states, (float)factor, states);
    }

    static double Sum(ReadOnlySpan<float> values)
    {
        var sum = 0.0;
        foreach (var value in values)
            sum += value;
        return sum;
    }
}
