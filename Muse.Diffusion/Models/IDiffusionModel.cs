namespace Muse.Diffusion;

/// <summary>A text-to-image latent-diffusion model, as the engine sees it: a folder run by ONNX Runtime, or a simulated device.</summary>
/// <remarks>
/// Three threads use it at once, each for its own part: one encodes prompts, one denoises
/// (<see cref="Batch"/> and what it returns), one decodes.
/// </remarks>
public interface IDiffusionModel : IDisposable
{
    /// <summary>What it can do.</summary>
    ModelTraits Traits { get; }

    /// <summary>Whether rows of one step may stand at different timesteps; if not, they run in groups of equal timestep.</summary>
    bool TimestepPerRow { get; }

    /// <summary>Whether the guidance scale is an input of the denoiser (latent consistency models), so that no request needs a second row.</summary>
    bool GuidanceEmbedded { get; }

    /// <summary>How many pictures are worth decoding in one call on this device.</summary>
    int DecodeBatch { get; }

    /// <summary>Whether the device prepares itself for each number of rows of each size when it first meets it (an accelerator that picks or builds its kernels by shape).</summary>
    bool PreparesByShape => false;

    /// <summary>How many steps of one size are to run before another's turn: more than one where a change of size takes as long as they do.</summary>
    int StepsATurn => 1;

    /// <summary>A sampler over this model's noise schedule.</summary>
    /// <param name="name">One of <see cref="ModelTraits.Samplers"/>; null for the folder's own.</param>
    Sampler Sampler(string? name);

    /// <summary>The latent of a picture.</summary>
    LatentShape Latent(int width, int height);

    /// <summary>Encodes a prompt.</summary>
    /// <param name="prompt">Any text.</param>
    /// <param name="negative">Whether it says what to keep out; some models have their own value for "nothing".</param>
    /// <param name="minTokens">The least number of tokens to give, so that both prompts of a request can be equally long.</param>
    PromptEmbedding Encode(string prompt, bool negative, int minTokens);

    /// <summary>The denoiser's inputs and outputs for one step; valid until the next call.</summary>
    /// <param name="latent">The latent that all rows share.</param>
    /// <param name="tokens">How many tokens the embeddings of all rows have.</param>
    /// <param name="rows">How many rows.</param>
    DenoiserBatch Batch(LatentShape latent, int tokens, int rows);

    /// <summary>Turns finished latents of one shape into pictures, in their order.</summary>
    /// <exception cref="DeviceMemoryException">They don't fit together.</exception>
    DecodedImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents);

    /// <summary>A rough picture of a latent, one pixel for each of its cells.</summary>
    RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values);
}

/// <summary>The rows of one denoising step, in buffers that the model owns.</summary>
public abstract class DenoiserBatch
{
    /// <summary>Where the row's latent goes, as the sampler scaled it; <see cref="LatentShape.Length"/> values.</summary>
    public abstract Span<float> Input(int row);

    /// <summary>Says what the row is denoised towards.</summary>
    public abstract void SetCondition(int row, in RowCondition condition);

    /// <summary>Runs the denoiser over all rows.</summary>
    /// <exception cref="DeviceMemoryException">The rows don't fit into the device's memory.</exception>
    public abstract void Run();

    /// <summary>What the denoiser said of the row; <see cref="LatentShape.Length"/> values.</summary>
    public abstract ReadOnlySpan<float> Output(int row);
}

/// <summary>What one row of the denoiser is given beside its latent.</summary>
/// <param name="Timestep">Where in the noise schedule the row stands.</param>
/// <param name="Embedding">The encoded prompt.</param>
/// <param name="GuidanceScale">For models that take it as an input.</param>
/// <param name="Width">The picture's width in pixels, for models that take it as an input.</param>
/// <param name="Height">The picture's height in pixels, for models that take it as an input.</param>
public readonly record struct RowCondition(float Timestep, PromptEmbedding Embedding, float GuidanceScale, int Width, int Height);

/// <summary>The shape of a latent: channels × height × width.</summary>
public readonly record struct LatentShape(int Channels, int Height, int Width)
{
    /// <summary>How many values it has.</summary>
    public int Length => Channels * Height * Width;
}

/// <summary>An encoded prompt. Immutable, shared between requests.</summary>
/// <param name="Tokens">How many tokens.</param>
/// <param name="HiddenStates">Tokens × width.</param>
/// <param name="Pooled">The pooled embedding, for models that take one.</param>
/// <param name="CutOff">What of the prompt did not fit; null when all did.</param>
public sealed record PromptEmbedding(int Tokens, float[] HiddenStates, float[]? Pooled = null, string? CutOff = null);

/// <summary>A decoded picture.</summary>
/// <param name="Image">The picture; black when flagged.</param>
/// <param name="Flagged">Whether the model's safety checker objected.</param>
public readonly record struct DecodedImage(RgbImage Image, bool Flagged);

/// <summary>The device has no memory left for what was asked of it; fewer rows may fit.</summary>
public sealed class DeviceMemoryException(string message, Exception? inner = null) : Exception(message, inner);
