namespace Muse.Diffusion;

/// <summary>
/// Puts the part of an image that a mask keeps over a generated one. Whole numbers alone, so that it is the same on every machine.
/// </summary>
static class ImageComposite
{
    // How many pixels inside the mask the seam is wide.
    const int Feather = 4;
    // Distances are counted in thirds of a pixel: 3 to a neighbour, 4 across a corner (Borgefors 1986).
    const int Straight = 3, Diagonal = 4;
    const int Whole = 256;

    /// <summary>
    /// The generated image where the mask is 255, the input's own bytes where it is 0, both in proportion in between, and a soft seam along
    /// the inner edge of the mask.
    /// </summary>
    /// <param name="generated">The generated image.</param>
    /// <param name="input">The input image, of the same size.</param>
    /// <param name="mask">A byte for each pixel.</param>
    public static RgbImage Compose(RgbImage generated, RgbImage input, byte[] mask)
    {
        var distances = DistancesToKept(mask, input.Width, input.Height);
        var image = RgbImage.Create(input.Width, input.Height);
        var pixels = image.Pixels;
        for (var i = 0; i < mask.Length; i++)
        {
            var weight = mask[i] * Math.Clamp((2 * distances[i] - Straight) * Whole / (2 * Straight * Feather), 0, Whole);
            for (var p = 3 * i; p < 3 * i + 3; p++)
                pixels[p] = (byte)((generated.Pixels[p] * weight + input.Pixels[p] * (255 * Whole - weight) + 127 * Whole) / (255 * Whole));
        }
        return image;
    }

    // Two passes, from the top left and from the bottom right. The image's border is no edge of the mask.
    static int[] DistancesToKept(byte[] mask, int width, int height)
    {
        const int Far = Straight * (Feather + 1);
        var distances = new int[mask.Length];
        for (var i = 0; i < mask.Length; i++)
            distances[i] = mask[i] == 0 ? 0 : Far;
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
                Relax(x, y, -1);
        }
        for (var y = height - 1; y >= 0; y--)
        {
            for (var x = width - 1; x >= 0; x--)
                Relax(x, y, 1);
        }
        return distances;

        void Relax(int x, int y, int step)
        {
            var least = distances[y * width + x];
            least = Math.Min(least, At(x + step, y) + Straight);
            least = Math.Min(least, At(x, y + step) + Straight);
            least = Math.Min(least, At(x - 1, y + step) + Diagonal);
            distances[y * width + x] = Math.Min(least, At(x + 1, y + step) + Diagonal);
        }

        int At(int x, int y) => x < 0 || x >= width || y < 0 || y >= height ? Far : distances[y * width + x];
    }
}
