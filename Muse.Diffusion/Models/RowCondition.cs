namespace Muse.Diffusion;

/// <summary>What one row of the denoiser is given besides its latent. A model uses what its family's table of inputs names.</summary>
/// <param name="Timestep">Where in the noise schedule the row stands.</param>
/// <param name="Conditioning">The encoded prompt.</param>
/// <param name="GuidanceScale">The request's guidance scale.</param>
/// <param name="Width">The image's width in pixels.</param>
/// <param name="Height">The image's height in pixels.</param>
public readonly record struct RowCondition(float Timestep, Conditioning Conditioning, float GuidanceScale, int Width, int Height)
{
    /// <summary>
    /// The mask and the latent of the masked image, (1 + channels) × height × width values, for models that take them besides the
    /// latent (<see cref="ModelTraits.RequiresMask"/>); null is zeros.
    /// </summary>
    public float[]? ImageChannels { get; init; }
}
