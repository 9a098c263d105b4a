using Muse.Diffusion;

namespace Muse.Tests.Diffusion.OnnxFolders;

/// <summary>
/// What the graphs of <see cref="TransformerFolderBuilder"/> compute, and the image that follows from it, written without any of the
/// engine's code but its noise.
/// </summary>
/// <remarks>
/// The denoiser predicts ¼·x + σ·(a + 0.01·k): k is the element's place in its patch, and a the sum over text, guidance and position, each
/// by a weight of its place. So an image tells whether each value came where it should, at the σ that it should.
/// </remarks>
static class ToyArithmetic
{
    public const int Channels = 16, ClipTokens = 77, TextWidth = 12;
    public const float LatentWeight = 0.25f;
    public static readonly int[] ClipWidths = [3, 5];
    public static readonly float[] PositionWeights = [7, 0.3f, 0.2f];

    const int PixelsPerCell = 8;

    public static float ClipState(int encoder, int token, int id, int j) => 0.001f * (encoder + 1) * id + 0.01f * j + 0.002f * token;

    public static float T5State(int token, int id, int j) => 0.02f * id + 0.01f * j - 0.001f * token;

    public static float StateWeight(int token, int j) => MathF.Sin(1 + 1.7f * token + 0.9f * j);

    public static float PooledWeight(int i) => 0.5f * MathF.Cos(i);

    public static float ElementWeight(int k) => 0.01f * k;

    // Not balanced: what all channels have in common must be seen.
    public static float ColourWeight(int channel, int colour) => 0.01f + 0.04f * MathF.Sin(1 + 3 * channel + colour);

    public static float EncoderWeight(int channel) => 0.5f + 0.1f * channel;

    /// <summary>The image of a request.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="request">The request; its prompts have small letters and spaces alone.</param>
    /// <param name="sigmas">The noise levels of the whole schedule, one more than steps.</param>
    public static byte[] ImageOf(TransformerFolderBuilder folder, GenerationRequest request, double[] sigmas)
    {
        int high = request.Height / PixelsPerCell, wide = request.Width / PixelsPerCell;
        var (scale, shift) = folder.IsFlux ? (0.3611, 0.1159) : (1.5305, 0.0609);
        var noise = new float[Channels * high * wide];
        new SeededNoise(request.Seed).Fill(-1, 0, noise);
        var towards = Towards(folder, request);
        // A strength that falls between two numbers of steps takes the larger.
        var first = request.Input is { } input ? (int)(request.Steps - request.Steps * input.Strength) : 0;
        var latent = new double[noise.Length];
        for (var i = 0; i < noise.Length; i++)
        {
            int channel = i / (high * wide), y = i / wide % high, x = i % wide;
            var inPatch = y % 2 * 2 + x % 2;
            var a = towards;
            if (folder.IsFlux)
                a += ElementWeight(channel * 4 + inPatch) + y / 2 * PositionWeights[1] + x / 2 * PositionWeights[2];
            else
                a += ElementWeight(inPatch * Channels + channel);
            var value = request.Input is null
                ? noise[i]
                : sigmas[first] * noise[i] + (1 - sigmas[first]) * scale * (Encoded(request.Input.Image, channel, x, y) - shift);
            for (var step = first; step < request.Steps; step++)
                value += (sigmas[step + 1] - sigmas[step]) * (LatentWeight * value + sigmas[step] * a);
            latent[i] = value / scale + shift;
        }
        var pixels = new byte[3 * request.Width * request.Height];
        for (var i = 0; i < pixels.Length; i++)
        {
            int colour = i % 3, x = i / 3 % request.Width / PixelsPerCell, y = i / 3 / request.Width / PixelsPerCell;
            var value = Enumerable.Range(0, Channels).Sum(c => ColourWeight(c, colour) * latent[(c * high + y) * wide + x]);
            pixels[i] = (byte)Math.Clamp(127.5 * value + 128, 0, 255);
        }
        return pixels;
    }

    static double Encoded(RgbImage image, int channel, int x, int y)
    {
        double sum = 0;
        for (var row = 0; row < PixelsPerCell; row++)
        {
            for (var i = 0; i < 3 * PixelsPerCell; i++)
                sum += image.Pixels[3 * ((y * PixelsPerCell + row) * image.Width + x * PixelsPerCell) + i] / 127.5 - 1;
        }
        return EncoderWeight(channel) * sum / (3 * PixelsPerCell * PixelsPerCell);
    }

    // The sum over text and guidance; that of both prompts where two rows are guided.
    static double Towards(TransformerFolderBuilder folder, GenerationRequest request)
    {
        var positive = TextSum(folder, request.Prompt);
        if (folder.IsFlux)
            return positive + (folder.IsGuided ? 0.1 * request.GuidanceScale : 0);
        if (request.GuidanceScale <= 1)
            return positive;
        var negative = TextSum(folder, request.NegativePrompt ?? "");
        return negative + request.GuidanceScale * (positive - negative);
    }

    static double TextSum(TransformerFolderBuilder folder, string prompt)
    {
        var (sum, clip, t5) = (0.0, ClipIds(prompt), T5Ids(prompt, folder.T5Tokens));
        var (clips, pooled) = (folder.IsFlux ? 1 : 2, 0);
        for (var encoder = 0; encoder < clips; encoder++)
        {
            for (var j = 0; j < ClipWidths[encoder]; j++, pooled++)
            {
                var mean = Enumerable.Range(0, ClipTokens).Average(token => ClipState(encoder, token, clip[token], j));
                sum += PooledWeight(pooled) * 3 * mean;
            }
        }
        if (!folder.IsFlux)
        {
            for (var token = 0; token < ClipTokens; token++)
            {
                // The next-to-last layer is twice the last.
                for (var j = 0; j < ClipWidths.Sum(); j++)
                {
                    var (encoder, column) = j < ClipWidths[0] ? (0, j) : (1, j - ClipWidths[0]);
                    sum += StateWeight(token, j) * 2 * ClipState(encoder, token, clip[token], column);
                }
            }
        }
        for (var token = 0; token < t5.Length && folder.HasT5; token++)
        {
            for (var j = 0; j < TextWidth; j++)
                sum += StateWeight((folder.IsFlux ? 0 : ClipTokens) + token, j) * T5State(token, t5[token], j);
        }
        return sum;
    }

    // Start, letters, of which a word's last has another id, end, and ends to fill up.
    static int[] ClipIds(string prompt)
    {
        int[] ids = [512, .. Words(prompt).SelectMany(word => word.Select((letter, i) => letter + (i == word.Length - 1 ? 256 : 0)))];
        return [.. ids, .. Enumerable.Repeat(513, ClipTokens - ids.Length)];
    }

    // A mark before each word, letters, the end, and padding.
    static int[] T5Ids(string prompt, int tokens)
    {
        int[] ids = [.. Words(prompt).SelectMany(word => (int[])[3, .. word.Select(letter => letter - 'a' + 4)]), 1];
        return [.. ids, .. new int[tokens - ids.Length]];
    }

    static string[] Words(string prompt) => prompt.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
