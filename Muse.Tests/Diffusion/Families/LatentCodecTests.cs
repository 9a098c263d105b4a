using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Families;

public class LatentCodecTests
{
    static readonly LatentShape Shape = new(2, 4, 6);

    static LatentCodec Codec(int patch = 1) => new() { PixelsPerCell = 8, SizeMultiple = 8, Scale = 0.5f, PatchSize = patch };

    [Fact]
    public void Patches_become_tokens_row_by_row_with_the_channel_first_inside_a_patch()
    {
        var values = Enumerable.Range(0, Shape.Length).Select(i => (float)i).ToArray();
        Codec(patch: 2).Pack(Shape, values);
        Assert.Equal([2, 6, 8], Codec(patch: 2).InputShape(Shape, 2));
        // Token 0: channel 0's cells (0,0), (0,1), (1,0), (1,1), then channel 1's, 24 further on.
        Assert.Equal([0, 1, 6, 7, 24, 25, 30, 31], values[..8]);
        // Token 3 begins the second row of patches.
        Assert.Equal([12, 13, 18, 19, 36, 37, 42, 43], values[24..32]);
    }

    [Fact]
    public void Unpacking_undoes_packing()
    {
        var values = Enumerable.Range(0, Shape.Length).Select(i => (float)i).ToArray();
        var packed = values.ToArray();
        Codec(patch: 2).Pack(Shape, packed);
        Codec(patch: 2).Unpack(Shape, packed);
        Assert.Equal(values, packed);
    }

    [Fact]
    public void The_decoder_gets_the_latent_without_scale_and_with_each_channel_s_mean_and_deviation()
    {
        var codec = Codec() with { Shift = 1, Mean = [10, 20], Deviation = [2, 3] };
        var input = new float[4];
        codec.ToDecoder(new LatentShape(2, 1, 2), [1, 2, 3, 4], input);
        Assert.Equal([2 * 3 + 10, 2 * 5 + 10, 3 * 7 + 20, 3 * 9 + 20], input);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void What_comes_from_the_encoder_is_undone_for_the_decoder(int patch)
    {
        var codec = Codec(patch) with { Shift = 0.3f, Mean = [10, 20], Deviation = [2, 3] };
        var encoded = Enumerable.Range(0, Shape.Length).Select(i => (float)i).ToArray();
        var latent = encoded.ToArray();
        codec.FromEncoder(Shape, latent);
        // The first value: (0 − mean) / deviation, without the shift, times the scale.
        Assert.Equal((-5 - 0.3f) * 0.5f, latent[0], 1e-6f);
        var decoded = new float[Shape.Length];
        codec.ToDecoder(Shape, latent, decoded);
        Assert.Equal(encoded, decoded, (a, b) => Math.Abs(a - b) < 1e-4);
    }
}
