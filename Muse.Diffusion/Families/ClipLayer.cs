namespace Muse.Diffusion;

/// <summary>Which of a CLIP text encoder's layers conditions the denoiser.</summary>
enum ClipLayer
{
    /// <summary>The last, normalised.</summary>
    Last,
    /// <summary>The one before the last.</summary>
    NextToLast,
}
