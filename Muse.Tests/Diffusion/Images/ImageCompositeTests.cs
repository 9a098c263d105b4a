using Muse.Diffusion;
using Muse.Tests.Diffusion.Engine;

namespace Muse.Tests.Diffusion.Images;

public class ImageCompositeTests
{
    const int Size = 64;
    static readonly RgbImage Input = Inputs.Image(1, Size), Generated = Plain(200);

    static RgbImage Plain(byte value) => new(Size, Size, [.. Enumerable.Repeat(value, 3 * Size * Size)]);

    static byte[] At(RgbImage image, int x, int y) => image.Pixels[(3 * (y * Size + x))..][..3];

    [Fact]
    public void Outside_the_mask_every_pixel_is_the_input_s_and_deep_inside_the_generated_one()
    {
        var mask = Inputs.Square(Size, 16, 48);
        var composed = ImageComposite.Compose(Generated, Input, mask);
        Assert.True(Inputs.Keeps(composed.Pixels, new ImageInput { Image = Input, Mask = mask, Strength = 1 }));
        for (var at = 21; at < 43; at++)
            Assert.Equal([200, 200, 200], At(composed, at, 32));
    }

    [Fact]
    public void The_seam_rises_evenly_from_the_mask_s_edge_inwards()
    {
        var composed = ImageComposite.Compose(Generated, Plain(0), Inputs.Square(Size, 16, 48));
        Assert.Equal([0, 25, 75, 125, 175, 200], Enumerable.Range(15, 6).Select(x => (int)At(composed, x, 32)[0]));
        // It is the same on all sides.
        Assert.Equal([25, 25, 25, 25], new[] { At(composed, 16, 30), At(composed, 47, 30), At(composed, 30, 16), At(composed, 30, 47) }
            .Select(pixel => (int)pixel[0]));
    }

    [Fact]
    public void The_image_s_border_has_no_seam()
    {
        var all = new byte[Size * Size];
        all.AsSpan().Fill(255);
        Assert.Equal(Generated.Pixels, ImageComposite.Compose(Generated, Input, all).Pixels);
        var half = ImageComposite.Compose(Generated, Plain(0), [.. Enumerable.Range(0, Size * Size).Select(i =>
            i % Size < 32 ? (byte)255 : (byte)0)]);
        Assert.Equal([200, 200, 200], At(half, 0, 0));
    }

    [Fact]
    public void A_grey_mask_mixes_both_images_in_proportion()
    {
        var grey = new byte[Size * Size];
        grey.AsSpan().Fill(51);
        Assert.Equal(40, At(ImageComposite.Compose(Generated, Plain(0), grey), 32, 32)[0]);
    }
}
