using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Images;

public class BicubicResizeTests
{
    static RgbImage Image(int width, int height, Func<int, int, int> value) =>
        new(width, height, [.. Enumerable.Range(0, width * height)
            .SelectMany(i => Enumerable.Repeat((byte)value(i % width, i / width), 3))]);

    [Theory]
    [InlineData(1024, 224)]
    [InlineData(512, 224)]
    [InlineData(768, 100)]
    public void A_checkerboard_of_single_pixels_becomes_grey(int size, int smaller)
    {
        var scaled = BicubicResize.Resize(Image(size, size, (x, y) => (x + y) % 2 * 255), smaller, smaller);
        Assert.All(scaled.Pixels, value => Assert.InRange(value, 118, 137));
    }

    [Theory]
    [InlineData(64, 48, 20, 30)]
    [InlineData(20, 30, 64, 48)]
    public void A_plain_image_stays_plain(int width, int height, int newWidth, int newHeight)
    {
        var scaled = BicubicResize.Resize(Image(width, height, (_, _) => 77), newWidth, newHeight);
        Assert.Equal((newWidth, newHeight), (scaled.Width, scaled.Height));
        Assert.All(scaled.Pixels, value => Assert.Equal(77, value));
    }

    [Fact]
    public void The_same_size_gives_the_same_image()
    {
        var image = Image(17, 9, (x, y) => x * 13 + y * 7);
        Assert.Equal(image.Pixels, BicubicResize.Resize(image, 17, 9).Pixels);
    }

    /// <summary>
    /// Halving: the kernel is twice as wide, so each pixel is a sum of eight with the weights of (−½)-bicubic at ±¼, ±¾, ±1¼, ±1¾.
    /// </summary>
    [Fact]
    public void Halving_weighs_eight_neighbours_as_the_widened_kernel_does()
    {
        var impulse = BicubicResize.Resize(Image(32, 1, (x, _) => x == 15 ? 255 : 0), 16, 1);
        double[] kernel = [0.8671875, 0.2265625, -0.0703125, -0.0234375];
        // Pixel 7's centre is 16 − 1: pixel 15 is half a pixel from it, a quarter in kernel's units; pixel 8's is three quarters away.
        Assert.Equal(Math.Round(255 * kernel[0] / 2), impulse.Pixels[3 * 7], 1.0);
        Assert.Equal(Math.Round(255 * kernel[1] / 2), impulse.Pixels[3 * 8], 1.0);
        Assert.Equal(0, impulse.Pixels[3 * 6]);
    }
}
