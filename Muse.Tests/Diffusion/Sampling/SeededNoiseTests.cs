using CsCheck;
using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Sampling;

public class SeededNoiseTests
{
    /// <summary>Known answers of philox4x32-10, from the Random123 library's kat_vectors.</summary>
    [Theory]
    [InlineData(0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)]
    [InlineData(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)]
    [InlineData(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1)]
    public void The_generator_gives_the_published_words(
        uint counter0, uint counter1, uint counter2, uint counter3, uint key0, uint key1, uint word0, uint word1, uint word2, uint word3) =>
        Assert.Equal((word0, word1, word2, word3), Philox.Words((counter0, counter1, counter2, counter3), (key0, key1)));

    [Fact]
    public void Noise_is_Box_and_Muller_s_transform_of_the_words()
    {
        var noise = Draw(new SeededNoise(0), 0, 0, 4);
        // Words of counter 0 under key 0, above.
        Assert.Equal(BoxMuller(0x6627e8d5, 0xe169c58d), (noise[0], noise[1]), Near);
        Assert.Equal(BoxMuller(0xbc57ac4c, 0x9b00dbd8), (noise[2], noise[3]), Near);

        static (float, float) BoxMuller(uint radius, uint angle)
        {
            var r = Math.Sqrt(-2 * Math.Log((radius + 1.0) / 4294967296));
            var (sine, cosine) = Math.SinCos(2 * Math.PI * angle / 4294967296);
            return ((float)(r * cosine), (float)(r * sine));
        }

        static bool Near((float, float) a, (float, float) b) => Math.Abs(a.Item1 - b.Item1) < 1e-6 && Math.Abs(a.Item2 - b.Item2) < 1e-6;
    }

    /// <summary>Images are repeated from their seed: these bits may never change.</summary>
    [Fact]
    public void Noise_is_the_same_to_the_bit_on_every_machine()
    {
        var bits = Draw(new SeededNoise(42), -1, 0, 6).Select(BitConverter.SingleToUInt32Bits);
        Assert.Equal([0x3f7fbc73, 0xbf8495e4, 0xbef2361c, 0x3fb47265, 0xc01a676b, 0xbf4c018b], bits);
    }

    [Fact]
    public void A_draw_depends_on_its_place_alone() =>
        (from seed in Gen.Long
         from evaluation in Gen.Int[-1, 300]
         from start in Gen.Int[0, 50]
         from length in Gen.Int[0, 50]
         select (seed, evaluation, start, length)).Sample(draw =>
        {
            var noise = new SeededNoise(draw.seed);
            Draw(noise, draw.evaluation + 1, 3, 7);
            var part = Draw(noise, draw.evaluation, draw.start, draw.length);
            Assert.Equal(Draw(new SeededNoise(draw.seed), draw.evaluation, 0, 100)[draw.start..(draw.start + draw.length)], part);
        });

    [Fact]
    public void Seeds_and_evaluations_give_unrelated_noise()
    {
        const int Count = 4096;
        long[] seeds = [0, 1, -1, 1L << 32, long.MinValue];
        var draws = (from seed in seeds from evaluation in new[] { -1, 0, 1, 50 } select Draw(new SeededNoise(seed), evaluation, 0, Count))
            .ToArray();
        for (var a = 0; a < draws.Length; a++)
        {
            for (var b = 0; b < a; b++)
            {
                var correlation = draws[a].Zip(draws[b], (x, y) => (double)x * y).Sum() / Count;
                Assert.InRange(Math.Abs(correlation), 0, 5 / Math.Sqrt(Count));
            }
        }
    }

    [Fact]
    public void Noise_is_standard_normal()
    {
        const int Count = 1 << 18;
        var sorted = Draw(new SeededNoise(7), 3, 0, Count).Order().ToArray();
        Assert.InRange(sorted.Average(), -0.01, 0.01);
        Assert.InRange(sorted.Average(x => x * x), 0.99, 1.01);
        Assert.InRange(sorted.Average(x => Math.Pow(x, 4)), 2.9, 3.1);
        // Quantiles of the normal distribution.
        foreach (var (quantile, value) in new[] { (0.5, 0.0), (0.841345, 1.0), (0.158655, -1.0), (0.977250, 2.0), (0.998650, 3.0),
            (0.001350, -3.0) })
        {
            Assert.Equal(value, sorted[(int)(quantile * Count)], 0.06);
        }

        Assert.All([sorted[0], sorted[^1]], x => Assert.InRange(Math.Abs(x), 3.5, 6.7));
    }

    static float[] Draw(SeededNoise noise, int evaluation, int start, int length)
    {
        var result = new float[length];
        noise.Fill(evaluation, start, result);
        return result;
    }
}
