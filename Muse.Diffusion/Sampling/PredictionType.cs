namespace Muse.Diffusion;

/// <summary>What a denoiser's output means, for a sample x = α·x₀ + σ·ε.</summary>
public enum PredictionType
{
    /// <summary>The noise ε.</summary>
    Epsilon,
    /// <summary>The velocity α·ε − σ·x₀ (Salimans and Ho, "Progressive Distillation", 2022).</summary>
    Velocity,
    /// <summary>The clean sample x₀.</summary>
    Sample,
    /// <summary>The flow ε − x₀ along the straight line x = (1 − σ)·x₀ + σ·ε (Liu et al., "Flow Straight and Fast", 2022).</summary>
    Flow,
}
