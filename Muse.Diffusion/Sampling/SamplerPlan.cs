namespace Muse.Diffusion;

/// <summary>What a sampler does at each evaluation of the denoiser. Immutable.</summary>
public record SamplerPlan
{
    /// <summary>Steps of the whole schedule, as the caller counts them.</summary>
    public required int Steps { get; init; }
    /// <summary>The timestep of each evaluation, first (noisiest) to last; Heun has nearly two for each step.</summary>
    public required float[] Timesteps { get; init; }
    /// <summary>The noise level of each evaluation and the last one's target; empty for algorithms in alpha terms.</summary>
    public required float[] Sigmas { get; init; }
    /// <summary>How much of the clean latent and of noise the sample has at each evaluation.</summary>
    public required NoiseLevel[] Levels { get; init; }
    /// <summary>The standard deviation of the initial latent of a run from pure noise.</summary>
    public required float InitNoiseSigma { get; init; }
    /// <summary>How many steps a run from an image leaves out at the beginning.</summary>
    public int FirstStep { get; init; }
    /// <summary>Steps that run.</summary>
    public int StepsToRun => Steps - FirstStep;
    /// <summary>The evaluation that the run begins with: above 0 where it starts from an image instead of from pure noise.</summary>
    public int FirstEvaluation { get; init; }
}
