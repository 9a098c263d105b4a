namespace Muse.Diffusion;

/// <summary>The latents of an input image.</summary>
/// <param name="Clean">The image's latent; null where the run does not need it.</param>
/// <param name="Cells">How much of each cell of the latent is generated anew, 0 to 1; null without a mask.</param>
/// <param name="Channels">The mask and the latent of the masked image, for a denoiser that takes them; null for others.</param>
sealed record InputLatents(float[]? Clean, float[]? Cells, float[]? Channels)
{
    /// <summary>
    /// Whether a run starts from the image and not from pure noise: as in diffusers' pipelines, a masked one of full strength does not.
    /// </summary>
    public static bool StartsFromImage(ImageInput input) => input.Mask is null || input.Strength < 1;

    /// <summary>Encodes an input.</summary>
    /// <param name="model">The model.</param>
    /// <param name="shape">The latent of the image's size.</param>
    /// <param name="input">The input.</param>
    /// <param name="noise">The request's noise.</param>
    /// <param name="resumes">Whether the run goes on from a checkpoint, so that its start is not needed.</param>
    public static InputLatents Encode(IDiffusionModel model, LatentShape shape, ImageInput input, INoiseSource noise, bool resumes)
    {
        var fillsIn = model.Traits.RequiresMask;
        var starts = !resumes && StartsFromImage(input);
        var keeps = input.Mask is not null && !fillsIn;
        var clean = starts || keeps ? model.EncodeImage(shape, input.Image, [], noise) : null;
        if (input.Mask is not { } mask)
            return new InputLatents(clean, null, null);
        var cells = CellsOf(mask, input.Image.Width, shape);
        float[]? channels = fillsIn ? [.. cells, .. model.EncodeImage(shape, input.Image, mask, noise)] : null;
        return new InputLatents(clean, cells, channels);
    }

    /// <summary>Repeats the mask's cells for each channel of the latent, in the denoiser's arrangement.</summary>
    public static float[] RepeatForChannels(float[] cells, LatentShape shape, IDiffusionModel model)
    {
        var values = new float[shape.Length];
        for (var c = 0; c < shape.Channels; c++)
            cells.CopyTo(values, c * cells.Length);
        model.Pack(shape, values);
        return values;
    }

    /// <summary>The mask's value for each cell: that of its most masked pixel, so that every masked pixel is generated anew.</summary>
    static float[] CellsOf(byte[] mask, int width, LatentShape shape)
    {
        var cells = new float[shape.Height * shape.Width];
        int wide = width / shape.Width, high = mask.Length / width / shape.Height;
        for (var cell = 0; cell < cells.Length; cell++)
        {
            byte most = 0;
            for (var y = 0; y < high; y++)
            {
                var row = mask.AsSpan((cell / shape.Width * high + y) * width + cell % shape.Width * wide, wide);
                foreach (var value in row)
                    most = Math.Max(most, value);
            }
            cells[cell] = most / 255f;
        }
        return cells;
    }
}
