namespace Muse.Diffusion;

/// <summary>Where a T5 text encoder runs.</summary>
public enum T5Placement
{
    /// <summary>On the model's device.</summary>
    Device,

    /// <summary>On the CPU, in the host's memory.</summary>
    Cpu,

    /// <summary>Nowhere: it is not loaded. Only for a model that can do without (Stable Diffusion 3).</summary>
    None,
}
