namespace Muse.Diffusion;

/// <summary>Where the values of a denoiser's input come from.</summary>
enum InputSource
{
    /// <summary>The row's latent, as the sampler scaled it.</summary>
    Latent,
    /// <summary>The row's timestep.</summary>
    Timestep,
    /// <summary>A tensor of the row's conditioning.</summary>
    Conditioning,
    /// <summary>The row's request: its size, its guidance scale.</summary>
    Request,
    /// <summary>The shape of the step alone: the same for all rows. Without a batch axis, unless the graph has one.</summary>
    Shape,
}
