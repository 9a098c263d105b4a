namespace Muse.Diffusion;

/// <summary>A model family's text encoders, opened: prompts to conditioning. For one thread.</summary>
abstract class PromptConditioner : IDisposable
{
    /// <summary>Encodes a prompt.</summary>
    /// <param name="prompt">Any text; null for a negative prompt that is absent.</param>
    /// <param name="like">A shape that the result must have at least; null for none.</param>
    public abstract Conditioning Encode(string? prompt, ConditioningShape? like);

    /// <summary>Encodes a prompt with weights. A family whose text encoders take none reads its text alone.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="like">A shape that the result must have at least; null for none.</param>
    public virtual Conditioning EncodeWeighted(WeightedPrompt prompt, ConditioningShape? like) => Encode(prompt.Text, like);

    /// <summary>Frees the text encoders.</summary>
    public abstract void Dispose();
}
