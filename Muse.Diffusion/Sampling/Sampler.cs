namespace Muse.Diffusion;

/// <summary>One sampling algorithm for one model's noise schedule. Holds no run state: any mix of requests shares one instance.</summary>
public abstract class Sampler
{
    /// <summary>The name that requests use, e.g. <c>euler</c>, <c>dpmpp_2m_karras</c>.</summary>
    public abstract string Name { get; }

    /// <summary>How many latent-sized buffers of history a request keeps between evaluations.</summary>
    public abstract int HistoryBuffers { get; }

    /// <summary>Most steps that <see cref="Plan"/> takes.</summary>
    public abstract int MaxSteps { get; }

    /// <summary>The plan for a number of steps: everything that depends on nothing else. Cached by the caller.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one step or more than <see cref="MaxSteps"/>.</exception>
    public abstract SamplerPlan Plan(int steps);

    /// <summary>Writes what the denoiser is to see at evaluation <paramref name="i"/>.</summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation, 0 to <c>plan.Timesteps.Length - 1</c>.</param>
    /// <param name="sample">The latent.</param>
    /// <param name="modelInput">Where to write; same length; may be the same memory.</param>
    public abstract void ScaleModelInput(SamplerPlan plan, int i, ReadOnlySpan<float> sample, Span<float> modelInput);

    /// <summary>Takes the sample from evaluation <paramref name="i"/> to the next, in place.</summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation.</param>
    /// <param name="prediction">What the denoiser said, guidance applied.</param>
    /// <param name="sample">The latent, in and out.</param>
    /// <param name="history"><see cref="HistoryBuffers"/> × the latent's length, zero at first; saved and restored with the request.</param>
    /// <param name="noise">Where fresh noise comes from.</param>
    public abstract void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history, INoiseSource noise);

    /// <summary>Writes the clean latent that the denoiser points at from evaluation <paramref name="i"/>: what the picture would be if the run ended there.</summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation.</param>
    /// <param name="prediction">What the denoiser said, guidance applied.</param>
    /// <param name="sample">The latent that it said it of.</param>
    /// <param name="clean">Where to write; same length; may be the sample's memory.</param>
    public void PredictClean(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, ReadOnlySpan<float> sample, Span<float> clean) =>
        Clean(plan, i).Write(sample, prediction, clean);

    /// <summary>The clean sample, out of the sample and the prediction at an evaluation.</summary>
    private protected abstract Mix Clean(SamplerPlan plan, int i);

    /// <summary>Elements that a step works on at a time, so that what it needs in between lies on the stack.</summary>
    private protected const int BlockLength = 1024;

    /// <summary>Refuses a number of steps that this sampler can't plan.</summary>
    private protected void CheckSteps(int steps)
    {
        if (steps < 1 || steps > MaxSteps)
            throw new ArgumentOutOfRangeException(nameof(steps), steps, $"{Name} takes 1 to {MaxSteps} steps with this model.");
    }
}

/// <summary>What a sampler does at each evaluation of the denoiser. Immutable.</summary>
public record SamplerPlan
{
    /// <summary>Steps as the caller counts them.</summary>
    public required int Steps { get; init; }
    /// <summary>The timestep of each evaluation, first (noisiest) to last; Heun has nearly two for each step.</summary>
    public required float[] Timesteps { get; init; }
    /// <summary>The noise level of each evaluation and the last one's target; empty for algorithms in alpha terms.</summary>
    public required float[] Sigmas { get; init; }
    /// <summary>The standard deviation of the initial latent.</summary>
    public required float InitNoiseSigma { get; init; }
}

/// <summary>Standard normal noise as a function of the draw's place in the run.</summary>
public interface INoiseSource
{
    /// <summary>Fills the buffer with the noise of evaluation <paramref name="evaluation"/> (-1 is the initial latent), from position <paramref name="start"/> of the latent on.</summary>
    void Fill(int evaluation, int start, Span<float> destination);

    /// <summary>Fills the buffer with the noise of evaluation <paramref name="evaluation"/> from the latent's beginning; -1 is the initial latent.</summary>
    void Fill(int evaluation, Span<float> destination) => Fill(evaluation, 0, destination);
}
