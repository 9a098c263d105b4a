namespace Muse.Diffusion;

/// <summary>One tensor of a <see cref="Conditioning"/>.</summary>
/// <param name="Name">Its name, as the model family's table of denoiser inputs refers to it.</param>
/// <param name="Values">Its values, in row-major order.</param>
/// <param name="Shape">Its shape without the batch axis, for example tokens × width.</param>
public sealed record ConditioningTensor(string Name, float[] Values, params int[] Shape);
