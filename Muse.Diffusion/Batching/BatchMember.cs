namespace Muse.Diffusion;

/// <summary>A request as the batcher sees it.</summary>
public abstract class BatchMember
{
    /// <summary>What its rows must share with the others of a step.</summary>
    public abstract BatchKey Key { get; }

    /// <summary>How many rows of the denoiser its next evaluation takes: two when it is guided.</summary>
    public abstract int Rows { get; }

    /// <summary>The timestep of its next evaluation.</summary>
    public abstract float Timestep { get; }

    /// <summary>Whether all its evaluations are done.</summary>
    public abstract bool Finished { get; }

    /// <summary>Whether it is to leave at the next step whatever its state.</summary>
    public abstract bool Aborted { get; }

    /// <summary>Its slot in the batch, from 0; -1 while it waits.</summary>
    public int SlotIndex { get; internal set; } = -1;

    internal long LastRan { get; set; }
    internal TimeSpan Arrived { get; set; }

    /// <summary>How many that came later have joined before it.</summary>
    internal int Overtaken { get; set; }
}
