namespace Muse.Diffusion;

/// <summary>
/// What differs between kinds of models: inputs, latents, text encoders, defaults. Each kind is one subclass, listed in
/// <see cref="ModelFamilies"/>; no code outside this folder asks which kind a model is.
/// </summary>
/// <param name="folder">The folder.</param>
abstract class ModelFamily(ModelFolder folder)
{
    /// <summary>Recognises a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="denoiserInputs">The names of the denoiser graph's inputs; none where no graph is opened (a simulated device).</param>
    /// <returns>The family of the folder; null when it is of another kind.</returns>
    /// <exception cref="ModelFolderException">It is of this kind, and its parts don't go together.</exception>
    public delegate ModelFamily? Recognizer(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs);

    /// <summary>The folder.</summary>
    public ModelFolder Folder => folder;

    /// <summary>The folder of the denoiser's graph.</summary>
    public string Denoiser => ModelFamilies.DenoiserOf(folder);

    /// <summary>The folders of the text encoders, and of the tokenizer of each.</summary>
    public abstract IReadOnlyList<(string Encoder, string Tokenizer)> TextEncoders { get; }

    /// <summary>The inputs of the denoiser's graph.</summary>
    public abstract IReadOnlyList<DenoiserInput> Inputs { get; }

    /// <summary>The latents.</summary>
    public abstract LatentCodec Latents { get; }

    /// <summary>The noise schedule, as the family's pipeline uses it.</summary>
    public virtual SchedulerConfig Scheduler => folder.Scheduler;

    /// <summary>
    /// Whether guidance is distilled into the denoiser, which may take the guidance scale as an input: it needs no second row.
    /// </summary>
    public virtual bool GuidanceEmbedded => false;

    /// <summary>The side of the latent in cells that the denoiser was made for, where its configuration does not say.</summary>
    public virtual int DefaultCells => 64;

    /// <summary>Steps where neither the request nor the folder says.</summary>
    public virtual int DefaultSteps => 20;

    /// <summary>Guidance scale where neither the request nor the folder says.</summary>
    public virtual float DefaultGuidanceScale => 7.5f;

    /// <summary>Where Muse does not do what the folder's files say, each in a sentence.</summary>
    public virtual IEnumerable<string> Warnings => Scheduler.Warnings;

    /// <summary>Opens the text encoders.</summary>
    /// <param name="open">Loads the graph of a part.</param>
    /// <param name="tokens">How many tokens the denoiser's graph fixes; null when they may vary.</param>
    public abstract PromptConditioner OpenConditioner(Func<string, Graph> open, int? tokens);
}
