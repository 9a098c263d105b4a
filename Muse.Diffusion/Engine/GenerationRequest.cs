using System.Diagnostics;

namespace Muse.Diffusion;

/// <summary>One image to generate; valid for the model it is given to (<see cref="ModelTraits.Check"/>).</summary>
public sealed record GenerationRequest
{
    /// <summary>Unique among the requests in the engine.</summary>
    public required string Id { get; init; }
    /// <summary>What the image shows.</summary>
    public required string Prompt { get; init; }
    /// <summary>What the image must not show. Null is absent, which some models treat differently from an empty text.</summary>
    public string? NegativePrompt { get; init; }
    /// <summary>Whether weights such as <c>(red:1.3)</c> are read in both prompts (<see cref="WeightedPrompt"/>); else they are
    /// text.</summary>
    public bool PromptWeights { get; init; }
    /// <summary>Pixels, a multiple of <see cref="ModelTraits.SizeMultiple"/>.</summary>
    public required int Width { get; init; }
    /// <summary>Pixels, a multiple of <see cref="ModelTraits.SizeMultiple"/>.</summary>
    public required int Height { get; init; }
    /// <summary>
    /// Denoising steps of the whole schedule, 1 to <see cref="ModelTraits.MaxSteps"/>. A run from an image takes
    /// <see cref="ModelTraits.StepsOf"/> of them.
    /// </summary>
    public required int Steps { get; init; }
    /// <summary>Classifier-free guidance scale; at 1 and below a request takes one row instead of two.</summary>
    public required float GuidanceScale { get; init; }
    /// <summary>All noise of the image is a function of this and the step.</summary>
    public required long Seed { get; init; }
    /// <summary>
    /// The sampler's name (<see cref="Samplers"/>), or null for the model's own (<see cref="ModelTraits.SamplerOf"/>).
    /// </summary>
    public string? Sampler { get; init; }
    /// <summary>
    /// The image to start from; null for text-to-image. A model with <see cref="ModelTraits.RequiresMask"/> needs one with a mask.
    /// </summary>
    public ImageInput? Input { get; init; }
    /// <summary>How many previews to make, evenly spaced.</summary>
    public int Previews { get; init; }
    /// <summary>The span of the caller's request: the batch's span links to it.</summary>
    public ActivityContext TraceContext { get; init; }
}
