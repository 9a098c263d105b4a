namespace Muse.Diffusion;

/// <summary>Standard normal noise as a function of the draw's place in the run.</summary>
public interface INoiseSource
{
    /// <summary>
    /// Fills the buffer with the noise of evaluation <paramref name="evaluation"/>, from position <paramref name="start"/> of the latent
    /// on. -1 is the initial latent, -2 the image encoder, -3 the image encoder for a masked image.
    /// </summary>
    void Fill(int evaluation, int start, Span<float> destination);

    /// <summary>
    /// Fills the buffer with the noise of evaluation <paramref name="evaluation"/> from the latent's beginning; -1 is the initial latent.
    /// </summary>
    void Fill(int evaluation, Span<float> destination) => Fill(evaluation, 0, destination);
}
