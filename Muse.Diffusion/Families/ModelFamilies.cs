namespace Muse.Diffusion;

/// <summary>
/// The families of models, the most specific first. A new kind of model adds its subclass of <see cref="ModelFamily"/> and its line to
/// <see cref="All"/>.
/// </summary>
static class ModelFamilies
{
    const string Transformer = "transformer";

    /// <summary>All families.</summary>
    public static IReadOnlyList<ModelFamily.Recognizer> All { get; } =
    [
        Flux.Recognize,
        StableDiffusion3.Recognize,
        RefuseOtherTransformer,
        LatentConsistency.Recognize,
        StableDiffusionXl.Recognize,
        StableDiffusion.Recognize,
    ];

    // By what model_index.json names, since some of their denoisers take the inputs of a family that there is.
    static readonly (string Class, string Reason)[] Unsupported =
    [
        ("FluxKontext", "FLUX Kontext is not supported: its denoiser takes an image beside the latent."),
        ("Flux2", "FLUX.2 is not supported: its text encoder is a language model."),
        ("PixArt", "PixArt is not supported: its denoiser takes a mask of the text's tokens."),
        ("QwenImage", "Qwen-Image is not supported: its text encoder is a language model."),
        ("Sana", "Sana is not supported: its text encoder is a language model."),
    ];

    /// <summary>The folder of a model's denoiser: <c>transformer</c>, or <c>unet</c>, where some exporters put transformers too.</summary>
    /// <exception cref="ModelFolderException">It is of a kind that is known not to work.</exception>
    public static string DenoiserOf(ModelFolder folder)
    {
        foreach (var (className, reason) in Unsupported)
        {
            if (ClassOf(folder).Contains(className, StringComparison.Ordinal))
                throw folder.Refused("model_index.json", reason);
        }
        return folder.Has(Transformer) ? Transformer : "unet";
    }

    /// <summary>The pipeline that <c>model_index.json</c> names; empty where it names none.</summary>
    public static string ClassOf(ModelFolder folder) => folder.Index.Text("_class_name") ?? "";

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

    static ModelFamily? RefuseOtherTransformer(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs) =>
        folder.Has(Transformer) || denoiserInputs.Contains("hidden_states")
            ? throw folder.Refused(DenoiserOf(folder),
                "the denoiser is a transformer that Muse does not know; it runs those of Stable Diffusion 3 and FLUX.1.")
            : null;
}
