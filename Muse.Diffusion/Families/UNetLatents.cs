namespace Muse.Diffusion;

/// <summary>The latents of models with a UNet, as <c>vae_decoder/config.json</c> and <c>unet/config.json</c> describe them.</summary>
static class UNetLatents
{
    /// <param name="folder">The folder.</param>
    /// <param name="defaultScale">The latent's scale where the decoder's configuration does not say.</param>
    public static LatentCodec Of(ModelFolder folder, float defaultScale)
    {
        var (decoder, unet) = (folder.Json("vae_decoder/config.json"), folder.Json("unet/config.json"));
        var pixelsPerCell = 1 << ((decoder.Length("block_out_channels") ?? 4) - 1);
        var channels = decoder.Whole("latent_channels", 1, 1024);
        var (mean, deviation) = (Channels("latents_mean"), Channels("latents_std"));
        return new LatentCodec
        {
            Channels = channels ?? mean?.Length ?? 4,
            PixelsPerCell = pixelsPerCell,
            // Each level of the UNet but the last halves the latent, and what does not halve evenly can't be put together again.
            SizeMultiple = pixelsPerCell << ((unet.Length("block_out_channels") ?? 1) - 1),
            Scale = (float)(decoder.Number("scaling_factor", 1e-6, 1e6) ?? defaultScale),
            Shift = (float)(decoder.Number("shift_factor", -1e6, 1e6) ?? 0),
            // As in the SDXL pipeline, only both together count.
            Mean = deviation is null ? null : mean,
            Deviation = mean is null ? null : deviation,
            Upcast = decoder.Flag("force_upcast") ?? false,
        };

        float[]? Channels(string key) => decoder.Numbers(key, -1e6, 1e6, count: channels);
    }

    /// <summary>
    /// Channels of the denoiser's input behind the latent's: those of inpainting models, which <c>unet/config.json</c> tells by twice the
    /// latent's channels and one; 0 for other models.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="latents">Its latents.</param>
    public static int ImageChannels(ModelFolder folder, LatentCodec latents) =>
        folder.Json("unet/config.json").Whole("in_channels", 1, 4096) == 2 * latents.Channels + 1 ? latents.Channels + 1 : 0;
}
