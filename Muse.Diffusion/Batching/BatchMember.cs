namespace Muse.Diffusion;

/// <summary>What rows of one step have in common: the picture's size and the length of the encoded prompt.</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Tokens">How many tokens the encoded prompt has; 77 unless the prompt is long.</param>
public readonly record struct BatchKey(int Width, int Height, int Tokens);

/// <summary>A request as the batcher sees it.</summary>
public abstract class BatchMember
{
    /// <summary>What its rows must share with the others of a step.</summary>
    public abstract BatchKey Key { get; }

    /// <summary>How many rows of the denoiser its next evaluation takes: two when it is guided.</summary>
    public abstract int Rows { get; }

    /// <summary>The timestep of its next evaluation.</summary>
    public abstract float Timestep { get; }

    /// <summary>Whether it has no evaluation left.</summary>
    public abstract bool Finished { get; }

    /// <summary>Whether it is to leave at the next step whatever its state.</summary>
    public abstract bool Cancelled { get; }

    /// <summary>Its place in the batch, from 0; -1 while it waits.</summary>
    public int Place { get; internal set; } = -1;

    internal long LastRan { get; set; }
    internal TimeSpan Arrived { get; set; }
}
