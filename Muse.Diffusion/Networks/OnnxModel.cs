using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>
/// A folder of ONNX graphs, run by ONNX Runtime. What differs between kinds of models is its <see cref="ModelFamily"/>'s.
/// </summary>
sealed class OnnxModel : IDiffusionModel
{
    // Decoding several images together keeps a GPU busy, unless it has to prepare itself for each number of images. On a CPU it saves
    // nothing, and the first image would wait for the last.
    const int DecodeBatchOnDevice = 4;
    const string EncoderFolder = "vae_encoder";

    readonly ModelFamily family;
    readonly List<IDisposable> parts = [];
    readonly PromptConditioner conditioner;
    readonly Denoiser denoiser;
    readonly ImageDecoder decoder;
    readonly SafetyChecker? safetyChecker;
    readonly Lazy<LatentEncoder>? encoder;
    readonly LatentPreview preview;
    readonly int channels;
    readonly ExecutionProvider provider;
    readonly ExecutionProvider t5Provider;

    OnnxModel(ModelFolder folder, ExecutionProvider provider, ExecutionProvider t5Provider, int? decodeTile,
        IReadOnlyList<ModelFamily.Recognizer> families, ILogger logger)
    {
        (this.provider, this.t5Provider) = (provider, t5Provider);
        try
        {
            LogMemory(folder, logger);
            var part = ModelFamilies.DenoiserOf(folder);
            var graph = Load(folder, part, PreferHalf, logger);
            family = ModelFamilies.Of(folder, [.. graph.Inputs.Select(input => input.Name)], families);
            conditioner = Keep(family.OpenConditioner(
                encoder => Load(folder, encoder, preferHalf: !ProviderOf(folder, encoder).OnHost, logger), FixedTokens(graph, family)));
            denoiser = Keep(new Denoiser(graph, family.Inputs, family.Latents));
            var decoderGraph = Load(folder, "vae_decoder", PreferHalf && !family.Latents.Upcast, logger);
            decoder = Keep(new ImageDecoder(decoderGraph, family.Latents, decodeTile, logger));
            safetyChecker = folder.Has("safety_checker")
                ? Keep(new SafetyChecker(Load(folder, "safety_checker", PreferHalf, logger), folder)) : null;
            CheckChannels(graph);
            channels = denoiser.Channels ?? decoder.Channels ?? family.Latents.Channels;
            var empty = conditioner.Encode("", null);
            denoiser.CheckConditioning(empty);
            if (EncoderPath(folder, logger) is { } path)
                encoder = new Lazy<LatentEncoder>(() => OpenEncoder(path, folder, logger));
            var fixedSize = (denoiser.Width, denoiser.Height);
            var content = ContentOf(folder, family, part, encoder is not null);
            Traits = FolderTraits.Of(family, provider.Name, fixedSize, safetyChecker is not null, encoder is not null) with
            {
                Content = content,
            };
            denoiser.TimestepPerRow =
                denoiser.TimestepMayVary && new TimestepProbe(denoiser, SmallLatent(), empty).SupportsTimestepPerRow();
            preview = LatentPreview.Fit(SmallLatent(), planar => decoder.Decode(SmallLatent(), [.. planar.Select(Packed)]));
            foreach (var warning in family.Warnings)
                EngineLog.ModelWarning(logger, folder.Name, warning);
            HostMemory.ReturnFree();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ModelTraits Traits { get; }

    /// <inheritdoc/>
    public bool TimestepPerRow => denoiser.TimestepPerRow;

    /// <inheritdoc/>
    public bool GuidanceEmbedded => family.GuidanceEmbedded;

    /// <inheritdoc/>
    public int DecodeBatch => provider.OnHost || provider.KeepsOneShape || decoder.OneByOne ? 1 : DecodeBatchOnDevice;

    /// <inheritdoc/>
    public bool PreparesByShape => !provider.OnHost && !provider.KeepsOneShape;

    /// <inheritdoc/>
    public int StepsPerTurn => denoiser.StepsPerTurn;

    bool PreferHalf => !provider.OnHost;

    /// <summary>Opens a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="provider">Where its graphs run.</param>
    /// <param name="logger">Where warnings go.</param>
    /// <param name="families">The families to choose from; null for all.</param>
    /// <exception cref="ModelFolderException">The folder can't be used.</exception>
    /// <exception cref="DeviceMemoryException">The model does not fit.</exception>
    public static OnnxModel Open(string path, ExecutionProvider provider, ILogger logger,
        IReadOnlyList<ModelFamily.Recognizer>? families = null) =>
        Open(ModelFolder.Open(path), provider, provider, decodeTile: null, logger, families);

    /// <summary>Opens a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="provider">Where its graphs run.</param>
    /// <param name="t5Provider">Where a T5 text encoder runs.</param>
    /// <param name="decodeTile"><see cref="DeviceOptions.DecodeTile"/>.</param>
    /// <param name="logger">Where warnings go.</param>
    /// <param name="families">The families to choose from; null for all.</param>
    /// <exception cref="ModelFolderException">The folder can't be used.</exception>
    /// <exception cref="DeviceMemoryException">The model does not fit.</exception>
    public static OnnxModel Open(ModelFolder folder, ExecutionProvider provider, ExecutionProvider t5Provider, int? decodeTile,
        ILogger logger, IReadOnlyList<ModelFamily.Recognizer>? families = null) =>
        new(folder, provider, t5Provider, decodeTile, families ?? ModelFamilies.All, logger);

    /// <inheritdoc/>
    public Sampler CreateSampler(string? name) => Samplers.Create(family.Scheduler, name);

    /// <inheritdoc/>
    public LatentShape GetLatentShape(int width, int height) =>
        new(channels, height / family.Latents.PixelsPerCell, width / family.Latents.PixelsPerCell);

    /// <inheritdoc/>
    public Conditioning Encode(string? prompt, ConditioningShape? minimumShape = null) => conditioner.Encode(prompt, minimumShape);

    /// <inheritdoc/>
    public Conditioning EncodeWeighted(WeightedPrompt prompt, ConditioningShape? minimumShape = null) =>
        conditioner.EncodeWeighted(prompt, minimumShape);

    /// <inheritdoc/>
    public void Pack(LatentShape latent, Span<float> values) => family.Latents.Pack(latent, values);

    /// <inheritdoc/>
    public DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows) =>
        denoiser.PrepareBatch(latent, conditioning, rows);

    /// <inheritdoc/>
    public float[] EncodeImage(LatentShape latent, RgbImage image, ReadOnlySpan<byte> mask, INoiseSource noise) => encoder is null
        ? throw new NotSupportedException($"The model '{Traits.Name}' has no image encoder.")
        : encoder.Value.Encode(latent, image, mask, noise);

    /// <inheritdoc/>
    public RgbImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents) => decoder.Decode(latent, latents);

    /// <inheritdoc/>
    public bool IsFlagged(RgbImage image) => safetyChecker?.IsFlagged(image) ?? false;

    /// <inheritdoc/>
    public RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values)
    {
        if (family.Latents.PatchSize == 1)
            return preview.Render(latent, values);
        var planar = values.ToArray();
        family.Latents.Unpack(latent, planar);
        return preview.Render(latent, planar);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // The last first: buffers go before the session whose memory they are in.
        for (var i = parts.Count - 1; i >= 0; i--)
            parts[i].Dispose();
        parts.Clear();
    }

    Graph Load(ModelFolder folder, string part, bool preferHalf, ILogger logger)
    {
        var path = folder.Graph(part, preferHalf);
        // T5 reads 512 tokens, and runs only for prompts that are not cached.
        return Keep(Graph.Load(path, folder.Relative(path), ProviderOf(folder, part), logger, returnsMemory: part == folder.T5Encoder));
    }

    ExecutionProvider ProviderOf(ModelFolder folder, string part) => part == folder.T5Encoder ? t5Provider : provider;

    // Before anything is loaded, so that the log has it also where loading fails.
    void LogMemory(ModelFolder folder, ILogger logger)
    {
        foreach (var parts in folder.Parts.GroupBy(part => ProviderOf(folder, part)))
        {
            var needed = parts.Sum(part => folder.GraphBytes(part, parts.Key.OnHost));
            var free = FreeMemory.Of(parts.Key);
            if (needed > free)
                EngineLog.MemoryShort(logger, folder.Name, Bytes(needed), parts.Key.Name, Bytes(free.Value));
            else if (needed > 0)
                EngineLog.MemoryNeeded(logger, folder.Name, Bytes(needed), parts.Key.Name, free is { } known ? Bytes(known) : "not known");
        }

        static string Bytes(long count) => count < 1e9 ? $"{count / 1e6:F0} MB" : $"{count / 1e9:F1} GB";
    }

    // A folder without a usable encoder still generates from text; a denoiser that needs the encoder can't do without.
    string? EncoderPath(ModelFolder folder, ILogger logger)
    {
        if (!folder.Has(EncoderFolder) && denoiser.ImageChannels == 0)
            return null;
        try
        {
            return folder.Graph(EncoderFolder, PreferHalf && !family.Latents.Upcast);
        }
        catch (ModelFolderException e) when (denoiser.ImageChannels == 0)
        {
            EngineLog.ModelWarning(logger, folder.Name, $"{e.Message} It generates from text alone.");
            return null;
        }
    }

    // At its first use, by the thread that prepares requests: models that only ever generate from text don't pay for it.
    LatentEncoder OpenEncoder(string path, ModelFolder folder, ILogger logger)
    {
        var graph = Keep(Graph.Load(path, folder.Relative(path), provider, logger, returnsMemory: true));
        var opened = Keep(new LatentEncoder(graph, family.Latents, channels));
        if (opened.DrawsOwnNoise())
        {
            EngineLog.ModelWarning(logger, folder.Name,
                $"{folder.Relative(path)} draws noise of its own; an image made from another can't be made again from its seed.");
        }
        return opened;
    }

    T Keep<T>(T part) where T : IDisposable
    {
        parts.Add(part);
        return part;
    }

    void CheckChannels(Graph graph)
    {
        if (denoiser.Channels is { } takes && decoder.Channels is { } gives && takes != gives)
            throw graph.Refused($"works on latents of {takes} channels, but {decoder.File} takes {gives}.");
        var known = denoiser.Channels ?? decoder.Channels ?? family.Latents.Channels;
        foreach (var statistics in new[] { family.Latents.Mean, family.Latents.Deviation })
        {
            if (statistics is not null && statistics.Length != known)
            {
                throw new ModelFolderException(decoder.File,
                    $"has latents of {known} channels, but 'latents_mean' and 'latents_std' have {statistics.Length} numbers.");
            }
        }
    }

    // The smallest latent that the denoiser's levels halve evenly.
    LatentShape SmallLatent() => new(channels, denoiser.Height ?? 8, denoiser.Width ?? 8);

    float[] Packed(float[] planar)
    {
        var latent = planar.ToArray();
        family.Latents.Pack(SmallLatent(), latent);
        return latent;
    }

    // Tensors with tokens have them behind the batch axis.
    static int? FixedTokens(Graph denoiser, ModelFamily family) => family.Inputs
        .Where(input => input.Source == InputSource.Conditioning)
        .Select(input => denoiser.Input(input.Name)?.Dimensions is [_, var tokens, _] ? tokens : null)
        .FirstOrDefault(tokens => tokens is not null);

    /// <summary>
    /// A hash of the files that a latent depends on, from the prompt and the input image to the last step. Decoder and safety checker see
    /// it only when it is done.
    /// </summary>
    static string ContentOf(ModelFolder folder, ModelFamily family, string denoiser, bool encodesImages) => FileContent.HashOf(
    [
        folder.PathOf("model_index.json"),
        .. FileContent.In(folder.PathOf("scheduler")),
        .. family.TextEncoders.SelectMany(part => FileContent.In(folder.PathOf(part.Tokenizer))),
        .. family.TextEncoders.Select(part => part.Encoder).Append(denoiser).SelectMany(part => FileContent.In(folder.PathOf(part))),
        .. encodesImages ? FileContent.In(folder.PathOf(EncoderFolder)) : [],
    ]);
}
