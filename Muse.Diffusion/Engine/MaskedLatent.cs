using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>
/// The part of a latent that a mask keeps: after each step it is put back, with the noise that the next step expects (blended latent
/// diffusion, Avrahami et al. 2022, https://arxiv.org/abs/2206.02779; so do diffusers' inpainting pipelines).
/// </summary>
/// <param name="clean">The input image's latent.</param>
/// <param name="noise">The noise of the run's start: the same at every step.</param>
/// <param name="mask">For each value of the latent, 0 to keep it, 1 to leave it to the denoiser.</param>
sealed class MaskedLatent(float[] clean, float[] noise, float[] mask)
{
    const int BlockLength = 1024;

    /// <summary>
    /// Puts the kept part back into a sample after an evaluation, where that ends a step. The sampler's history stays as it is.
    /// </summary>
    /// <param name="sampler">The sampler.</param>
    /// <param name="plan">Its plan.</param>
    /// <param name="i">The evaluation.</param>
    /// <param name="sample">The sample, in and out.</param>
    public void Restore(Sampler sampler, SamplerPlan plan, int i, Span<float> sample)
    {
        if (!sampler.EndsStep(plan, i))
            return;
        if (i == plan.Timesteps.Length - 1)
        {
            RestoreClean(sample);
            return;
        }
        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < sample.Length; start += BlockLength)
        {
            var kept = scratch[..Math.Min(BlockLength, sample.Length - start)];
            sampler.AddNoise(plan, i + 1, clean.AsSpan(start, kept.Length), noise.AsSpan(start, kept.Length), kept);
            Blend(kept, start, sample.Slice(start, kept.Length));
        }
    }

    /// <summary>Puts the kept part, without noise, into a clean latent.</summary>
    public void RestoreClean(Span<float> x0)
    {
        Span<float> scratch = stackalloc float[BlockLength];
        for (var start = 0; start < x0.Length; start += BlockLength)
        {
            var kept = scratch[..Math.Min(BlockLength, x0.Length - start)];
            clean.AsSpan(start, kept.Length).CopyTo(kept);
            Blend(kept, start, x0.Slice(start, kept.Length));
        }
    }

    // sample = (1 − m)·kept + m·sample, exactly one of them where m is 0 or 1.
    void Blend(Span<float> kept, int start, Span<float> sample)
    {
        var m = mask.AsSpan(start, sample.Length);
        Span<float> scratch = stackalloc float[BlockLength];
        var masked = scratch[..sample.Length];
        TensorPrimitives.Multiply(kept, m, masked);
        TensorPrimitives.Subtract(kept, masked, kept);
        TensorPrimitives.Multiply(sample, m, sample);
        TensorPrimitives.Add(sample, kept, sample);
    }
}
