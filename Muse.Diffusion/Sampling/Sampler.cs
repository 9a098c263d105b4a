using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>One sampling algorithm for one model's noise schedule. Holds no run state: any mix of requests shares one instance.</summary>
/// <param name="predictionType">What the denoiser's output means.</param>
public abstract class Sampler(PredictionType predictionType)
{
    /// <summary>The name that requests use, e.g. <c>euler</c>, <c>dpmpp_2m_karras</c>.</summary>
    public abstract string Name { get; }

    /// <summary>How many latent-sized buffers of history a request keeps between evaluations.</summary>
    public abstract int HistoryBuffers { get; }

    /// <summary>Most steps that <see cref="Plan"/> takes.</summary>
    public abstract int MaxSteps { get; }

    /// <summary>What the denoiser's output means.</summary>
    private protected PredictionType PredictionType => predictionType;

    /// <summary>The plan of a run: all that does not depend on the latent, the prediction or the noise. Cached by the caller.</summary>
    /// <param name="steps">Steps of the whole schedule.</param>
    /// <param name="shape">The latent's shape; some models shift their noise levels by it.</param>
    /// <param name="strength">How far the run goes back towards noise, from above 0 to 1 (pure noise); a run from an image takes about this
    /// share of the steps.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than one step or more than <see cref="MaxSteps"/>, or a strength out of
    /// range.</exception>
    public SamplerPlan Plan(int steps, LatentShape shape = default, double strength = 1)
    {
        if (steps < 1 || steps > MaxSteps)
            throw new ArgumentOutOfRangeException(nameof(steps), steps, $"{Name} takes 1 to {MaxSteps} steps with this model.");
        if (!(strength > 0 && strength <= 1))
            throw new ArgumentOutOfRangeException(nameof(strength), strength, "The strength must be above 0 and at most 1.");
        var plan = PlanAll(steps, shape);
        var firstStep = steps - StrengthRule.StepsToRun(steps, strength, RoundsStepsUp);
        return firstStep < steps
            ? plan with { FirstStep = firstStep, FirstEvaluation = FirstEvaluation(plan, firstStep) }
            : throw new ArgumentOutOfRangeException(nameof(strength), strength, $"Of {steps} steps a strength of {strength} leaves none.");
    }

    /// <summary>The plan of all steps, from pure noise.</summary>
    private protected abstract SamplerPlan PlanAll(int steps, LatentShape shape);

    /// <summary>Whether a run whose strength falls between two numbers of steps takes the larger (<see cref="StrengthRule"/>).</summary>
    public virtual bool RoundsStepsUp => false;

    /// <summary>The evaluation that begins a step.</summary>
    private protected virtual int FirstEvaluation(SamplerPlan plan, int step) => step;

    /// <summary>
    /// Whether evaluation <paramref name="i"/> is the last of its step. After another one, the sample is an intermediate point, at which
    /// the denoiser is evaluated again.
    /// </summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation.</param>
    public virtual bool EndsStep(SamplerPlan plan, int i) => true;

    /// <summary>Writes what the denoiser is to see at evaluation <paramref name="i"/>.</summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation, 0 to <c>plan.Timesteps.Length - 1</c>.</param>
    /// <param name="sample">The latent.</param>
    /// <param name="modelInput">Where to write; same length; may be the same memory.</param>
    public void ScaleModelInput(SamplerPlan plan, int i, ReadOnlySpan<float> sample, Span<float> modelInput)
    {
        var scale = plan.Levels[i].InputScale;
        if (scale == 1)
            sample.CopyTo(modelInput);
        else
            TensorPrimitives.Multiply(sample, (float)scale, modelInput);
    }

    /// <summary>Takes the sample from evaluation <paramref name="i"/> to the next, in place.</summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation.</param>
    /// <param name="prediction">The denoiser's output, guidance applied.</param>
    /// <param name="sample">The latent, in and out.</param>
    /// <param name="history"><see cref="HistoryBuffers"/> × the latent's length, zero at first; saved and restored with the
    /// request.</param>
    /// <param name="noise">Where fresh noise comes from.</param>
    public abstract void Step(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, Span<float> sample, Span<float> history,
        INoiseSource noise);

    /// <summary>
    /// Writes the clean latent x₀ that the denoiser predicts at evaluation <paramref name="i"/> (diffusers: pred_original_sample).
    /// </summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation.</param>
    /// <param name="prediction">The denoiser's output, guidance applied.</param>
    /// <param name="sample">The latent that it was computed for.</param>
    /// <param name="x0">Where to write; same length; may be the sample's memory.</param>
    public void PredictX0(SamplerPlan plan, int i, ReadOnlySpan<float> prediction, ReadOnlySpan<float> sample, Span<float> x0) =>
        X0(plan, i).Write(sample, prediction, x0);

    /// <summary>
    /// Writes a clean latent with as much noise as the sample has at evaluation <paramref name="i"/>: where a run from an image starts.
    /// </summary>
    /// <param name="plan">From <see cref="Plan"/>.</param>
    /// <param name="i">Evaluation.</param>
    /// <param name="clean">The clean latent.</param>
    /// <param name="noise">Standard normal noise; same length.</param>
    /// <param name="sample">Where to write; same length.</param>
    public void AddNoise(SamplerPlan plan, int i, ReadOnlySpan<float> clean, ReadOnlySpan<float> noise, Span<float> sample)
    {
        var level = plan.Levels[i];
        new LinearCombination(level.Signal / level.InputScale, level.Noise / level.InputScale).Write(clean, noise, sample);
    }

    /// <summary>The clean sample x₀, out of the sample and the prediction at an evaluation.</summary>
    private protected virtual LinearCombination X0(SamplerPlan plan, int i) => LinearCombination.X0(predictionType, plan.Levels[i]);

    /// <summary>Elements that a step works on at a time, so that its temporary values are on the stack.</summary>
    private protected const int BlockLength = 1024;
}
