namespace Muse.Diffusion;

/// <summary>
/// How the timesteps of a run are spread over those of training (Lin et al., "Common Diffusion Noise Schedules and Sample Steps are
/// Flawed", 2023, table 2).
/// </summary>
public enum TimestepSpacing
{
    /// <summary>Multiples of T / steps, from 0 up: never reaches the last timestep.</summary>
    Leading,
    /// <summary>Multiples of T / steps, from the last timestep down.</summary>
    Trailing,
    /// <summary>Even, from the first to the last timestep, both included.</summary>
    Linspace,
}
