namespace Muse.Diffusion;

/// <summary>A folder in the layout of Stable Diffusion's ONNX exports, run by ONNX Runtime.</summary>
public sealed class OnnxModel : IDiffusionModel
{
    // Some three hundred words; what is longer is cut off and told.
    const int MostChunks = 4;

    // Pictures decoded together keep a GPU busy, unless it would have to prepare itself for each number of them; a CPU gains nothing by it and the first would wait for the last.
    const int DecodeBatchOnDevice = 4;

    readonly ModelManifest manifest;
    readonly List<IDisposable> parts = [];
    readonly TextEncoder encoder;
    readonly TextEncoder? encoder2;
    readonly Denoiser denoiser;
    readonly ImageDecoder decoder;
    readonly SafetyChecker? safetyChecker;
    readonly LatentPreview preview;
    readonly int channels, maxChunks;
    readonly ExecutionProvider provider;
    PromptEmbedding? like;

    OnnxModel(ModelManifest manifest, ExecutionProvider provider)
    {
        (this.manifest, this.provider) = (manifest, provider);
        try
        {
            var two = manifest.TextEncoder2 is not null;
            encoder = Open(manifest.TextEncoder, graph => new TextEncoder(graph, Tokenizer(manifest.Tokenizer), nextToLast: two, pooled: false));
            encoder2 = two ? Open(manifest.TextEncoder2!, graph => new TextEncoder(graph, Tokenizer(manifest.Tokenizer2!), nextToLast: true, pooled: true)) : null;
            denoiser = Open(manifest.Unet, graph => new Denoiser(graph, manifest.GuidanceEmbeddingLength));
            decoder = Open(manifest.VaeDecoder, graph => new ImageDecoder(graph, manifest));
            safetyChecker = manifest.SafetyChecker is { } checker ? Open(checker, graph => new SafetyChecker(graph, manifest)) : null;
            CheckTogether();
            channels = denoiser.Channels ?? decoder.Channels ?? 4;
            maxChunks = denoiser.Tokens is { } tokens ? tokens / encoder.Tokenizer.ContextLength : MostChunks;
            CheckVocabulary(manifest.Tokenizer, encoder, "text_encoder");
            if (encoder2 is not null)
                CheckVocabulary(manifest.Tokenizer2!, encoder2, "text_encoder_2");
            Traits = OnnxTraits.Of(manifest, provider.Name, denoiser.Height, denoiser.Width, safetyChecker is not null) with { Content = FileContent.HashOf(manifest.DenoisedBy) };
            denoiser.TimestepPerRow = denoiser.TimestepMayVary && new TimestepProbe(this, denoiser, channels).TakesOnePerRow();
            preview = LatentPreview.Fit(SmallLatent(), latents => decoder.Decode(SmallLatent(), latents));
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
    public bool GuidanceEmbedded => denoiser.TakesGuidance;

    /// <inheritdoc/>
    public int DecodeBatch => provider.OnHost || provider.KeepsOneShape || decoder.OneByOne ? 1 : DecodeBatchOnDevice;

    /// <inheritdoc/>
    public bool PreparesByShape => !provider.OnHost && !provider.KeepsOneShape;

    /// <inheritdoc/>
    public int StepsATurn => denoiser.StepsATurn;

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ModelFolderException">The folder can't be used.</exception>
    /// <exception cref="DeviceMemoryException">The model does not fit.</exception>
    internal static OnnxModel Open(string folder, ExecutionProvider provider) =>
        new(ModelManifest.Read(folder, preferHalf: !provider.OnHost), provider);

    /// <inheritdoc/>
    public Sampler Sampler(string? name) => Samplers.Create(manifest.Scheduler, name);

    /// <inheritdoc/>
    public LatentShape Latent(int width, int height) => new(channels, height / manifest.PixelsPerCell, width / manifest.PixelsPerCell);

    /// <inheritdoc/>
    public PromptEmbedding Encode(string prompt, bool negative, int minTokens)
    {
        var chunkLength = encoder.Tokenizer.ContextLength;
        var chunks = encoder.Tokenizer.Chunk(prompt, maxChunks);
        var chunks2 = encoder2?.Tokenizer.Chunk(prompt, maxChunks);
        var count = Math.Max(Math.Max(chunks.Chunks.Count, chunks2?.Chunks.Count ?? 1), minTokens / chunkLength);
        var all = Encode(encoder, chunks.PadTo(count));
        var all2 = encoder2 is null ? [] : Encode(encoder2, chunks2!.PadTo(count));
        var hidden = all.Select((one, i) => encoder2 is null ? one.Hidden : SideBySide(one.Hidden, all2[i].Hidden, chunkLength)).ToList();
        var together = hidden.Count == 1 ? hidden[0] : [.. hidden.SelectMany(h => h)];
        var pooled = encoder2 is null ? null : all2[0].Pooled;
        if (negative && manifest.ZerosForEmptyNegative && prompt.Length == 0)
        {
            Array.Clear(together);
            Array.Clear(pooled ?? []);
        }
        return new PromptEmbedding(count * chunkLength, together, pooled, chunks.CutOff ?? chunks2?.CutOff);
    }

    /// <inheritdoc/>
    public DenoiserBatch Batch(LatentShape latent, int tokens, int rows)
    {
        // Embeddings of so many tokens all have one length, and it shows with the first.
        like ??= Encode("", negative: false, minTokens: 0);
        if (like.Tokens != tokens)
            like = like with { Tokens = tokens, HiddenStates = new float[like.HiddenStates.Length / like.Tokens * tokens] };
        return denoiser.Batch(latent, like, rows);
    }

    /// <inheritdoc/>
    public DecodedImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents) =>
        Array.ConvertAll(decoder.Decode(latent, latents), image => safetyChecker is not null && safetyChecker.Objects(image)
            ? new DecodedImage(image with { Pixels = new byte[image.Pixels.Length] }, Flagged: true)
            : new DecodedImage(image, Flagged: false));

    /// <inheritdoc/>
    public RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values) => preview.Paint(latent, values);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in parts)
            part.Dispose();
        parts.Clear();
    }

    T Open<T>(string path, Func<Graph, T> adapt) where T : IDisposable
    {
        var graph = Graph.Load(path, manifest.Relative(path), provider);
        try
        {
            var part = adapt(graph);
            parts.Add(part);
            return part;
        }
        catch
        {
            graph.Dispose();
            throw;
        }
    }

    ClipTokenizer Tokenizer(string folder)
    {
        try
        {
            return ClipTokenizer.Load(folder);
        }
        catch (InvalidDataException e)
        {
            throw new ModelFolderException(manifest.Relative(folder), e.Message, e);
        }
    }

    void CheckTogether()
    {
        var unet = denoiser.Graph;
        if (denoiser.Channels is { } takes && decoder.Channels is { } gives && takes != gives)
            throw unet.Refused($"works on latents of {takes} channels, but {manifest.Relative(manifest.VaeDecoder)} takes {gives}.");
        var width = encoder.Width + (encoder2 is null ? 0 : encoder2.Width);
        if (denoiser.EmbeddingWidth is { } wants && width is { } has && wants != has)
            throw unet.Refused($"takes embeddings {wants} wide, but the text encoder{(encoder2 is null ? " gives" : "s give")} {has}.");
        if (denoiser.Tokens is { } tokens && tokens != encoder.Tokenizer.ContextLength)
            throw unet.Refused($"takes {tokens} tokens, but the tokenizer gives {encoder.Tokenizer.ContextLength}.");
        if (denoiser.TakesPooled && encoder2 is null)
            throw unet.Refused($"takes '{Denoiser.TextEmbeds}', which a second text encoder gives; the folder has no text_encoder_2.");
        if (!denoiser.TakesPooled && encoder2 is not null)
            throw unet.Refused($"does not take '{Denoiser.TextEmbeds}', but the folder has a text_encoder_2 to give it.");
    }

    void CheckVocabulary(string tokenizer, TextEncoder encoder, string part)
    {
        var config = ModelManifest.Json(manifest.Folder, $"{part}/config.json", required: false);
        if (config.Whole("vocab_size", 1, int.MaxValue) is { } size && size < encoder.Tokenizer.VocabularySize)
            throw new ModelFolderException(config.Name, $"'vocab_size' is {size}, but {manifest.Relative(tokenizer)} has ids up to {encoder.Tokenizer.VocabularySize - 1}.");
    }

    // The smallest latent that the denoiser's levels halve evenly.
    LatentShape SmallLatent() => new(channels, denoiser.Height ?? 8, denoiser.Width ?? 8);

    static List<(float[] Hidden, float[]? Pooled)> Encode(TextEncoder encoder, PromptChunks chunks) =>
        [.. chunks.Chunks.Select(encoder.Encode)];

    static float[] SideBySide(float[] left, float[] right, int tokens)
    {
        int l = left.Length / tokens, r = right.Length / tokens;
        var both = new float[left.Length + right.Length];
        for (var token = 0; token < tokens; token++)
        {
            left.AsSpan(token * l, l).CopyTo(both.AsSpan(token * (l + r)));
            right.AsSpan(token * r, r).CopyTo(both.AsSpan(token * (l + r) + l));
        }
        return both;
    }
}
