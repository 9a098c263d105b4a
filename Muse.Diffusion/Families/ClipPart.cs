namespace Muse.Diffusion;

/// <summary>One text encoder of a <see cref="ClipConditioner"/>.</summary>
/// <param name="Encoder">The folder of its graph.</param>
/// <param name="Tokenizer">The folder of its tokenizer.</param>
/// <param name="Layer">Which layer's states are taken.</param>
/// <param name="Pooled">The name of the output with the pooled embedding, and of its tensor; null where it is not taken.</param>
sealed record ClipPart(string Encoder, string Tokenizer, ClipLayer Layer, string? Pooled = null);
