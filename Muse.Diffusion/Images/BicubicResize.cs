namespace Muse.Diffusion;

/// <summary>
/// Bicubic scaling with antialiasing: where an image gets smaller, the kernel gets wider, as in Pillow's <c>BICUBIC</c> (a = −½, two
/// passes, rounded to bytes after each).
/// </summary>
static class BicubicResize
{
    const double Support = 2, A = -0.5;

    /// <summary>The image at another size.</summary>
    public static RgbImage Resize(RgbImage image, int width, int height)
    {
        var rows = new byte[3 * width * image.Height];
        // Horizontally a pixel's neighbour is 3 bytes away, vertically a whole row.
        Scale(image.Pixels, rows, image.Width, width, lines: image.Height, pixelStride: 3, inLineStride: 3 * image.Width,
            outLineStride: 3 * width);
        var pixels = new byte[3 * width * height];
        Scale(rows, pixels, image.Height, height, lines: width, pixelStride: 3 * width, inLineStride: 3, outLineStride: 3);
        return new RgbImage(width, height, pixels);
    }

    static void Scale(byte[] from, byte[] to, int length, int newLength, int lines, int pixelStride, int inLineStride, int outLineStride)
    {
        var scale = (double)length / newLength;
        var widening = Math.Max(scale, 1);
        for (var i = 0; i < newLength; i++)
        {
            var center = (i + 0.5) * scale;
            var first = Math.Max(0, (int)(center - Support * widening + 0.5));
            var weights = new double[Math.Min(length, (int)(center + Support * widening + 0.5)) - first];
            var sum = 0.0;
            for (var k = 0; k < weights.Length; k++)
                sum += weights[k] = Kernel((first + k - center + 0.5) / widening);
            for (var line = 0; line < lines; line++)
            {
                for (var c = 0; c < 3; c++)
                {
                    var value = 0.0;
                    var at = line * inLineStride + first * pixelStride + c;
                    for (var k = 0; k < weights.Length; k++, at += pixelStride)
                        value += weights[k] * from[at];
                    to[line * outLineStride + i * pixelStride + c] = (byte)Math.Clamp(Math.Floor(value / sum + 0.5), 0, 255);
                }
            }
        }
    }

    // Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, equation 15.
    static double Kernel(double x)
    {
        x = Math.Abs(x);
        return x < 1 ? ((A + 2) * x - (A + 3)) * x * x + 1
            : x < 2 ? (((x - 5) * x + 8) * x - 4) * A
            : 0;
    }
}
