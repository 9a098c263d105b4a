namespace Muse.Diffusion;

/// <summary>A linear map from a latent's channels to red, green and blue: a rough image at nearly no cost.</summary>
/// <remarks>
/// Fitted at start-up to what the model's own decoder gives for smooth random latents (least squares), so it suits every model.
/// </remarks>
sealed class LatentPreview
{
    const int Samples = 4;
    const long Seed = 20240229;

    readonly int channels;
    readonly float[] weights;

    LatentPreview(int channels, float[] weights) => (this.channels, this.weights) = (channels, weights);

    /// <summary>Fits the map.</summary>
    /// <param name="shape">Shape of the latents to fit it to.</param>
    /// <param name="decode">The model's decoder.</param>
    public static LatentPreview Fit(LatentShape shape, Func<IReadOnlyList<float[]>, RgbImage[]> decode)
    {
        int cells = shape.Width * shape.Height, terms = shape.Channels + 1;
        var normal = new double[terms * terms];
        var targets = new double[terms * 3];
        var term = new double[terms];
        for (var sample = 0; sample < Samples; sample++)
        {
            var latent = Smooth(shape, sample);
            var image = decode([latent])[0];
            for (var cell = 0; cell < cells; cell++)
            {
                for (var c = 0; c < shape.Channels; c++)
                    term[c] = latent[c * cells + cell];
                term[^1] = 1;
                var colour = Mean(image, image.Width / shape.Width, cell % shape.Width, cell / shape.Width);
                for (var i = 0; i < terms; i++)
                {
                    for (var j = 0; j < terms; j++)
                        normal[i * terms + j] += term[i] * term[j];
                    for (var c = 0; c < 3; c++)
                        targets[i * 3 + c] += term[i] * colour[c];
                }
            }
        }
        // A little ridge: a channel that the decoder ignores must not divide by zero.
        for (var i = 0; i < terms; i++)
            normal[i * terms + i] += 1e-6 * normal[i * terms + i] + 1e-9;
        LinearSystem.Solve(normal, targets, columns: 3);
        return new LatentPreview(shape.Channels, Array.ConvertAll(targets, weight => (float)weight));
    }

    /// <summary>The rough image: a pixel for each cell.</summary>
    public RgbImage Render(LatentShape shape, ReadOnlySpan<float> latent)
    {
        var cells = shape.Width * shape.Height;
        var pixels = new byte[3 * cells];
        for (var cell = 0; cell < cells; cell++)
        {
            for (var colour = 0; colour < 3; colour++)
            {
                var value = weights[3 * channels + colour];
                for (var c = 0; c < channels; c++)
                    value += weights[3 * c + colour] * latent[c * cells + cell];
                pixels[3 * cell + colour] = (byte)Math.Clamp(value, 0, 255);
            }
        }
        return new RgbImage(shape.Width, shape.Height, pixels);
    }

    // Noise at a quarter of the size, stretched: neighbours are alike, as they are in the latents of images.
    static float[] Smooth(LatentShape shape, int sample)
    {
        int wide = Math.Max(2, shape.Width / 4), high = Math.Max(2, shape.Height / 4);
        var noise = new float[shape.Channels * wide * high];
        new SeededNoise(Seed).Fill(sample, 0, noise);
        var latent = new float[shape.Length];
        for (var c = 0; c < shape.Channels; c++)
        {
            for (var y = 0; y < shape.Height; y++)
            {
                for (var x = 0; x < shape.Width; x++)
                {
                    float fx = x * (wide - 1f) / shape.Width, fy = y * (high - 1f) / shape.Height;
                    int x0 = (int)fx, y0 = (int)fy, at = c * wide * high + y0 * wide + x0;
                    float upper = float.Lerp(noise[at], noise[at + 1], fx - x0),
                        lower = float.Lerp(noise[at + wide], noise[at + wide + 1], fx - x0);
                    latent[(c * shape.Height + y) * shape.Width + x] = 1.5f * float.Lerp(upper, lower, fy - y0);
                }
            }
        }
        return latent;
    }

    static double[] Mean(RgbImage image, int size, int column, int row)
    {
        var sum = new double[3];
        for (var y = row * size; y < (row + 1) * size; y++)
        {
            for (var x = column * size; x < (column + 1) * size; x++)
            {
                for (var c = 0; c < 3; c++)
                    sum[c] += image.Pixels[3 * (y * image.Width + x) + c];
            }
        }

        return Array.ConvertAll(sum, s => s / (size * size));
    }
}
