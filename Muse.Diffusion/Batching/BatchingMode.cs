namespace Muse.Diffusion;

/// <summary>How requests share the batch.</summary>
public enum BatchingMode
{
    /// <summary>Requests join and leave at every step.</summary>
    Continuous,
    /// <summary>Requests enter and leave together: what continuous batching is measured against.</summary>
    Static,
}
