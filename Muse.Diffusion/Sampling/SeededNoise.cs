namespace Muse.Diffusion;

/// <summary>
/// Standard normal noise as a pure function of seed, evaluation and position: the same on every machine and in any order of the draws.
/// </summary>
/// <remarks>
/// Philox4x32-10 (key: the seed; counter: the position's block of four and the evaluation) into Box and Muller's transform ("A Note on the
/// Generation of Random Normal Deviates", 1958). The transform is computed in double precision from additions, multiplications, divisions
/// and square roots alone, which IEEE 754 rounds in one way only; a library's logarithm or sine differs between machines.
/// </remarks>
/// <param name="seed">The image's seed.</param>
public sealed class SeededNoise(long seed) : INoiseSource
{
    const double Unit = 1.0 / (1L << 32);

    /// <inheritdoc/>
    public void Fill(int evaluation, int start, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        Span<float> block = stackalloc float[4];
        for (var written = 0; written < destination.Length;)
        {
            var position = start + written;
            FillBlock(evaluation, position / 4, block);
            var part = block[(position % 4)..];
            if (part.Length > destination.Length - written)
                part = part[..(destination.Length - written)];
            part.CopyTo(destination[written..]);
            written += part.Length;
        }
    }

    void FillBlock(int evaluation, int index, Span<float> block)
    {
        var key = ((uint)seed, (uint)(seed >> 32));
        var (w0, w1, w2, w3) = Philox.Words(((uint)index, 0, (uint)evaluation, 0), key);
        (block[0], block[1]) = Normals(w0, w1);
        (block[2], block[3]) = Normals(w2, w3);
    }

    /// <summary>Two independent normal deviates of two random words.</summary>
    static (float, float) Normals(uint radius, uint angle)
    {
        var r = Math.Sqrt(-2 * LogOfUnit((radius + 1.0) * Unit));
        var (sine, cosine) = SinCosOfTurn(angle);
        return ((float)(r * cosine), (float)(r * sine));
    }

    /// <summary>ln u for u in (0, 1], to about 1e-12: the exponent, and atanh's series of the mantissa between √½ and √2.</summary>
    static double LogOfUnit(double u)
    {
        var bits = BitConverter.DoubleToInt64Bits(u);
        var exponent = (int)(bits >> 52) - 1023;
        var mantissa = BitConverter.Int64BitsToDouble((bits & 0xFFFFFFFFFFFFF) | (1023L << 52));
        if (mantissa > 1.4142135623730951)
        {
            mantissa *= 0.5;
            exponent++;
        }

        var s = (mantissa - 1) / (mantissa + 1);
        var z = s * s;
        var series = 1 + z * (1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13))))));
        return exponent * 0.6931471805599453 + 2 * s * series;
    }

    /// <summary>
    /// Sine and cosine of a word's share of a full turn, to about 1e-12: the nearest quarter turn, and Taylor's series of the rest.
    /// </summary>
    static (double Sine, double Cosine) SinCosOfTurn(uint turn)
    {
        var quarter = (turn + 0x20000000u) >> 30;
        var rest = (int)(turn - (quarter << 30));
        var x = rest * (2 * Math.PI * Unit);
        var z = x * x;
        var sine = x * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110 * (1 - z / 156))))));
        var cosine = 1 - z / 2 * (1 - z / 12 * (1 - z / 30 * (1 - z / 56 * (1 - z / 90 * (1 - z / 132 * (1 - z / 182))))));
        return quarter switch
        {
            0 => (sine, cosine),
            1 => (cosine, -sine),
            2 => (-sine, -cosine),
            _ => (-cosine, sine),
        };
    }
}
