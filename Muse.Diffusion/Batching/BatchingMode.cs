namespace Muse.Diffusion;

/// <summary>How requests share the batch.</summary>
public enum BatchingMode
{
    /// <summary>Requests join and leave at every step.</summary>
    Continuous,
    /// <summary>Requests join and leave together. Benchmarks compare continuous batching with it.</summary>
    Static,
}
