namespace Muse.Diffusion;

/// <summary>
/// Turns prompts into conditioning with a model's text encoders; <see cref="ClipConditioner"/> does so for CLIP. Not thread-safe.
/// </summary>
abstract class PromptConditioner : IDisposable
{
    /// <summary>Encodes a prompt.</summary>
    /// <param name="prompt">Any text; null for a negative prompt that is absent.</param>
    /// <param name="minimumShape">The smallest shape that the result may have; null for any.</param>
    public abstract Conditioning Encode(string? prompt, ConditioningShape? minimumShape);

    /// <summary>Encodes a prompt with weights. A family that does not support weights ignores them.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="minimumShape">The smallest shape that the result may have; null for any.</param>
    public virtual Conditioning EncodeWeighted(WeightedPrompt prompt, ConditioningShape? minimumShape) => Encode(prompt.Text, minimumShape);

    /// <summary>Frees the text encoders.</summary>
    public abstract void Dispose();
}
