namespace Muse.Diffusion;

/// <summary>The shape of a latent: channels × height × width.</summary>
public readonly record struct LatentShape(int Channels, int Height, int Width)
{
    /// <summary>How many values it has.</summary>
    public int Length => Channels * Height * Width;
}
