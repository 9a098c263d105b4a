namespace Muse.Diffusion;

/// <summary>An encoded prompt: the named tensors that a denoiser takes besides its latent. Immutable, shared between requests.</summary>
public sealed class Conditioning
{
    /// <summary>Makes a conditioning.</summary>
    /// <param name="tensors">The tensors, in the model family's order.</param>
    /// <param name="cutOff">The end of the prompt that did not fit; null when all of it did.</param>
    public Conditioning(IReadOnlyList<ConditioningTensor> tensors, string? cutOff = null)
    {
        (Tensors, CutOff) = (tensors, cutOff);
        Shape = new ConditioningShape([.. tensors.Select(tensor => tensor.Shape)]);
    }

    /// <summary>The tensors, in the model family's order: the same names for every prompt of a model.</summary>
    public IReadOnlyList<ConditioningTensor> Tensors { get; }

    /// <summary>The tensors' shapes.</summary>
    public ConditioningShape Shape { get; }

    /// <summary>The end of the prompt that did not fit; null when all of it did.</summary>
    public string? CutOff { get; }
}
