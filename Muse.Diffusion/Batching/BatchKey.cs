namespace Muse.Diffusion;

/// <summary>What rows of one step must have in common: the image's size and the shape of the conditioning.</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Conditioning">The shapes of the conditioning's tensors: long prompts have more tokens.</param>
public readonly record struct BatchKey(int Width, int Height, ConditioningShape Conditioning);
