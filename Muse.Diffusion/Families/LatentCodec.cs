using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>
/// A model family's latents: their shape for an image, their arrangement for the denoiser, and their scale for the decoder.
/// </summary>
sealed record LatentCodec
{
    /// <summary>Channels where neither graph says how many.</summary>
    public int Channels { get; init; } = 4;

    /// <summary>How many pixels a cell of the latent is wide and high (diffusers: vae_scale_factor).</summary>
    public required int PixelsPerCell { get; init; }

    /// <summary>Width and height of an image must be multiples of this, pixels.</summary>
    public required int SizeMultiple { get; init; }

    /// <summary>A latent is divided by this before it is decoded (diffusers: scaling_factor).</summary>
    public required float Scale { get; init; }

    /// <summary>Added to a latent after that division (diffusers: shift_factor).</summary>
    public float Shift { get; init; }

    /// <summary>
    /// The mean of each channel in the decoder's units, with <see cref="Deviation"/>; null where the channels are not normalised.
    /// </summary>
    public float[]? Mean { get; init; }

    /// <summary>The standard deviation of each channel in the decoder's units.</summary>
    public float[]? Deviation { get; init; }

    /// <summary>
    /// Whether the decoder overflows in half precision, so that the single-precision one is used where there are both (diffusers:
    /// force_upcast).
    /// </summary>
    public bool Upcast { get; init; }

    /// <summary>The denoiser takes a token for each square of this many cells a side; 1 where it takes the latent as it is.</summary>
    public int PatchSize { get; init; } = 1;

    /// <summary>The latents as <c>vae_decoder/config.json</c> describes them, for a denoiser that takes any of them.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="defaultScale">The scale where the file does not say.</param>
    /// <param name="defaultShift">The shift where the file does not say.</param>
    /// <param name="defaultChannels">The channels where the file does not say.</param>
    public static LatentCodec Of(ModelFolder folder, float defaultScale, float defaultShift = 0, int defaultChannels = 4)
    {
        var decoder = folder.Json("vae_decoder/config.json");
        var pixelsPerCell = 1 << ((decoder.Length("block_out_channels") ?? 4) - 1);
        var channels = decoder.Whole("latent_channels", 1, 1024);
        var (mean, deviation) = (Statistics("latents_mean"), Statistics("latents_std"));
        return new LatentCodec
        {
            Channels = channels ?? mean?.Length ?? defaultChannels,
            PixelsPerCell = pixelsPerCell,
            SizeMultiple = pixelsPerCell,
            Scale = (float)(decoder.Number("scaling_factor", 1e-6, 1e6) ?? defaultScale),
            Shift = (float)(decoder.Number("shift_factor", -1e6, 1e6) ?? defaultShift),
            // As in the SDXL pipeline, only both together count.
            Mean = deviation is null ? null : mean,
            Deviation = mean is null ? null : deviation,
            Upcast = decoder.Flag("force_upcast") ?? false,
        };

        float[]? Statistics(string key) => decoder.Numbers(key, -1e6, 1e6, count: channels);
    }

    /// <summary>The shape of the denoiser's latent input: [rows, channels, height, width], or [rows, tokens, channels × patch²].</summary>
    public long[] InputShape(LatentShape latent, int rows) => PatchSize == 1
        ? [rows, latent.Channels, latent.Height, latent.Width]
        : [rows, latent.Height / PatchSize * (latent.Width / PatchSize), latent.Channels * PatchSize * PatchSize];

    /// <summary>
    /// Arranges channels × height × width as tokens of patches, channel first inside a patch. Changes nothing where a patch is one cell.
    /// </summary>
    public void Pack(LatentShape latent, Span<float> values) => Arrange(latent, values, pack: true);

    /// <summary>Undoes <see cref="Pack"/>.</summary>
    public void Unpack(LatentShape latent, Span<float> values) => Arrange(latent, values, pack: false);

    /// <summary>Turns a latent into the decoder's input.</summary>
    /// <param name="shape">The latent's shape.</param>
    /// <param name="latent">The latent, as the sampler left it.</param>
    /// <param name="input">Where to write: channels × height × width.</param>
    public void ToDecoder(LatentShape shape, ReadOnlySpan<float> latent, Span<float> input)
    {
        TensorPrimitives.Divide(latent, Scale, input);
        Unpack(shape, input);
        if (Shift != 0)
            TensorPrimitives.Add(input, Shift, input);
        if (Mean is null || Deviation is null)
            return;
        var cells = shape.Height * shape.Width;
        for (var c = 0; c < shape.Channels; c++)
        {
            var channel = input.Slice(c * cells, cells);
            TensorPrimitives.Multiply(channel, Deviation[c], channel);
            TensorPrimitives.Add(channel, Mean[c], channel);
        }
    }

    /// <summary>
    /// Turns the encoder's output into a latent as the sampler keeps it, in place: the inverse of <see cref="ToDecoder"/>.
    /// </summary>
    /// <param name="shape">The latent's shape.</param>
    /// <param name="values">Channels × height × width.</param>
    public void FromEncoder(LatentShape shape, Span<float> values)
    {
        if (Mean is not null && Deviation is not null)
        {
            var cells = shape.Height * shape.Width;
            for (var c = 0; c < shape.Channels; c++)
            {
                var channel = values.Slice(c * cells, cells);
                TensorPrimitives.Subtract(channel, Mean[c], channel);
                TensorPrimitives.Divide(channel, Deviation[c], channel);
            }
        }
        if (Shift != 0)
            TensorPrimitives.Subtract(values, Shift, values);
        Pack(shape, values);
        TensorPrimitives.Multiply(values, Scale, values);
    }

    void Arrange(LatentShape latent, Span<float> values, bool pack)
    {
        if (PatchSize == 1)
            return;
        var original = values[..latent.Length].ToArray();
        var at = 0;
        for (var row = 0; row < latent.Height; row += PatchSize)
        {
            for (var column = 0; column < latent.Width; column += PatchSize)
            {
                for (var c = 0; c < latent.Channels; c++)
                {
                    for (var y = 0; y < PatchSize; y++)
                    {
                        for (var x = 0; x < PatchSize; x++, at++)
                        {
                            var planar = (c * latent.Height + row + y) * latent.Width + column + x;
                            if (pack)
                                values[at] = original[planar];
                            else
                                values[planar] = original[at];
                        }
                    }
                }
            }
        }
    }
}
