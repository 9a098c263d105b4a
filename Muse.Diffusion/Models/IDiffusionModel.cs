namespace Muse.Diffusion;

/// <summary>A latent-diffusion model, as the engine sees it: a folder run by ONNX Runtime, or a simulated device.</summary>
/// <remarks>
/// Three threads use it at once, each for its own part: one encodes prompts and images, one denoises (<see cref="PrepareBatch"/> and its
/// result), one decodes.
/// </remarks>
public interface IDiffusionModel : IDisposable
{
    /// <summary>What the model can do.</summary>
    ModelTraits Traits { get; }

    /// <summary>Whether rows of one step may have different timesteps; if not, requests run in groups of equal timestep.</summary>
    bool TimestepPerRow { get; }

    /// <summary>
    /// Whether guidance is distilled into the denoiser, so that no request needs a second row and negative prompts have no effect.
    /// </summary>
    bool GuidanceEmbedded { get; }

    /// <summary>How many images are worth decoding in one call on this device.</summary>
    int DecodeBatch { get; }

    /// <summary>
    /// Whether the device prepares itself for each number of rows of each size at the first run (an accelerator that picks or builds its
    /// kernels by shape).
    /// </summary>
    bool PreparesByShape => false;

    /// <summary>
    /// How many steps of one size are to run before the next size has its turn. More than one where a change of size takes as long as
    /// several steps.
    /// </summary>
    int StepsPerTurn => 1;

    /// <summary>Creates a sampler over this model's noise schedule.</summary>
    /// <param name="name">One of <see cref="ModelTraits.Samplers"/>; null for the folder's own.</param>
    Sampler CreateSampler(string? name);

    /// <summary>The shape of the latent of an image of this size in pixels.</summary>
    LatentShape GetLatentShape(int width, int height);

    /// <summary>Encodes a prompt.</summary>
    /// <param name="prompt">Any text; null for a negative prompt that is absent, which some models treat differently from an empty
    /// one.</param>
    /// <param name="minimumShape">
    /// The smallest shape that the result may have, so that both prompts of a request can be equally long; null for any.
    /// </param>
    Conditioning Encode(string? prompt, ConditioningShape? minimumShape = null);

    /// <summary>Encodes a prompt with weights. A model that does not support weights ignores them.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="minimumShape">The smallest shape that the result may have; null for any.</param>
    Conditioning EncodeWeighted(WeightedPrompt prompt, ConditioningShape? minimumShape = null) => Encode(prompt.Text, minimumShape);

    /// <summary>
    /// Encodes an image as a clean latent, arranged and scaled as the sampler keeps it: the inverse of <see cref="Decode"/>, as far as the
    /// autoencoder allows.
    /// </summary>
    /// <param name="latent">The latent of the image's size.</param>
    /// <param name="image">The image.</param>
    /// <param name="mask">One byte for each pixel: from 128 on the encoder sees grey instead of the image. Empty where it sees all of
    /// it.</param>
    /// <param name="noise">Where the encoder's noise comes from: draw -2, for a masked image -3.</param>
    /// <returns><see cref="LatentShape.Length"/> values.</returns>
    /// <exception cref="NotSupportedException">The model has no image encoder (<see cref="ModelTraits.ImageInput"/>).</exception>
    /// <exception cref="DeviceMemoryException">The image does not fit into the device's memory.</exception>
    float[] EncodeImage(LatentShape latent, RgbImage image, ReadOnlySpan<byte> mask, INoiseSource noise) =>
        throw new NotSupportedException($"The model '{Traits.Name}' has no image encoder.");

    /// <summary>
    /// Arranges the values of a latent (channels × height × width) in the order in which the denoiser takes them; most models leave them as
    /// they are.
    /// </summary>
    void Pack(LatentShape latent, Span<float> values)
    {
    }

    /// <summary>Prepares the denoiser's inputs and outputs for one step. The result is valid until the next call.</summary>
    /// <param name="latent">The latent that all rows share.</param>
    /// <param name="conditioning">The shape of the conditioning that all rows share.</param>
    /// <param name="rows">How many rows are needed.</param>
    /// <exception cref="DeviceMemoryException">There is no memory for so many rows.</exception>
    DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows);

    /// <summary>Turns finished latents of one shape into images, in their order.</summary>
    /// <exception cref="DeviceMemoryException">They don't fit together.</exception>
    RgbImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents);

    /// <summary>Whether the model's safety checker flags an image; never, where there is none. Called by the thread that decodes.</summary>
    bool IsFlagged(RgbImage image) => false;

    /// <summary>A rough image of a latent, one pixel for each of its cells.</summary>
    RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values);
}
