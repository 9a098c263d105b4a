namespace Muse.Diffusion;

/// <summary>How the betas of a <see cref="SchedulerConfig"/> run from the first to the last.</summary>
public enum BetaSchedule
{
    /// <summary>Even steps (<c>linear</c>).</summary>
    Linear,
    /// <summary>Even steps of the square root (<c>scaled_linear</c>).</summary>
    ScaledLinear,
    /// <summary>From a squared cosine, at most 0.999 (<c>squaredcos_cap_v2</c>).</summary>
    Cosine,
}
