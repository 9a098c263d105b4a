namespace Muse.Diffusion;

/// <summary>
/// The families of models, the most specific first. A new kind of model (SD3, FLUX) adds its subclass of <see cref="ModelFamily"/> and its
/// line to <see cref="All"/>. If its denoiser is a transformer, <see cref="DenoiserOf"/> returns that folder instead of refusing it.
/// </summary>
static class ModelFamilies
{
    /// <summary>All families.</summary>
    public static IReadOnlyList<ModelFamily.Recognizer> All { get; } =
    [
        LatentConsistency.Recognize,
        StableDiffusionXl.Recognize,
        StableDiffusion.Recognize,
    ];

    /// <summary>The folder of a model's denoiser.</summary>
    /// <exception cref="ModelFolderException">No family has such a denoiser.</exception>
    public static string DenoiserOf(ModelFolder folder) => folder.Has("transformer")
        ? throw folder.Refused("transformer",
            "the model denoises with a transformer (Stable Diffusion 3, Flux); Muse runs models with a unet.")
        : "unet";

    /// <summary>The family of a folder.</summary>
    /// <exception cref="ModelFolderException">It is of no family, or its parts don't go together.</exception>
    public static ModelFamily Of(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs,
        IReadOnlyList<ModelFamily.Recognizer> families)
    {
        foreach (var recognize in families)
        {
            if (recognize(folder, denoiserInputs) is { } family)
                return family;
        }
        throw folder.Refused("model_index.json", "is of no kind of model that Muse supports.");
    }
}
