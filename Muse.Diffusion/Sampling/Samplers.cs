namespace Muse.Diffusion;

/// <summary>The samplers by name.</summary>
public static class Samplers
{
    // Create(SchedulerConfig, name): the sampling part's to define.
}
