namespace Muse.Diffusion;

/// <summary>
/// How far a flow model's noise levels shift towards noise for an image of a size (<c>use_dynamic_shifting</c>): a larger image needs more
/// noise to hide as much of it (Esser et al., "Scaling Rectified Flow Transformers", 2024, section 5.3.2).
/// </summary>
public sealed record DynamicShift
{
    // Cells a side for each token of the denoiser.
    const int PatchSize = 2;

    /// <summary>The shift at <see cref="BaseTokens"/> (<c>base_shift</c>).</summary>
    public double BaseShift { get; init; } = 0.5;

    /// <summary>The shift at <see cref="MaxTokens"/> (<c>max_shift</c>); null where the file leaves it to the pipeline.</summary>
    public double? MaxShift { get; init; }

    /// <summary>Tokens of a small image (<c>base_image_seq_len</c>).</summary>
    public int BaseTokens { get; init; } = 256;

    /// <summary>Tokens of a large image (<c>max_image_seq_len</c>); more than <see cref="BaseTokens"/>.</summary>
    public int MaxTokens { get; init; } = 4096;

    /// <summary>Whether the shift is µ itself (<c>time_shift_type</c>: <c>linear</c>) and not e^µ.</summary>
    public bool IsLinear { get; init; }

    /// <summary>The factor for a latent: that of <see cref="SchedulerConfig.Shift"/>.</summary>
    public double FactorFor(LatentShape shape)
    {
        var tokens = shape.Height / PatchSize * (shape.Width / PatchSize);
        var slope = ((MaxShift ?? 1.15) - BaseShift) / (MaxTokens - BaseTokens);
        var mu = BaseShift + slope * (tokens - BaseTokens);
        return IsLinear ? mu : Math.Exp(mu);
    }
}
