namespace Muse.Diffusion;

/// <summary>What the batcher knows of a request, in the batch or waiting for it. A <see cref="Slot"/> is one.</summary>
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

    /// <summary>Whether it was cancelled or has failed, and so leaves at the next step.</summary>
    public abstract bool Aborted { get; }

    /// <summary>Its slot in the batch, from 0; -1 while it waits.</summary>
    public int SlotIndex { get; internal set; } = -1;

    internal long LastRan { get; set; }
    internal TimeSpan Arrived { get; set; }

    /// <summary>How many members that arrived later have joined before it.</summary>
    internal int Overtaken { get; set; }
}
