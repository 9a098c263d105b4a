namespace Muse.Diffusion;

/// <summary>The latents of models with a UNet, as <c>vae_decoder/config.json</c> and <c>unet/config.json</c> describe them.</summary>
static class UNetLatents
{
    /// <param name="folder">The folder.</param>
    /// <param name="defaultScale">The latent's scale where the decoder's configuration does not say.</param>
    public static LatentCodec Of(ModelFolder folder, float defaultScale)
    {
        var latents = LatentCodec.Of(folder, defaultScale);
        // Each level of the UNet but the last halves the latent, and what does not halve evenly can't be put together again.
        var halvings = (folder.Json("unet/config.json").Length("block_out_channels") ?? 1) - 1;
        return latents with { SizeMultiple = latents.PixelsPerCell << halvings };
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
