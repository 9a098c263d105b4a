using System.Text.Json;

namespace Muse.Diffusion;

/// <summary>A model folder as its files describe it: where the graphs are, and how latents, prompts and sizes are to be understood.</summary>
public sealed record ModelManifest
{
    /// <summary>The folder's name.</summary>
    public required string Name { get; init; }
    /// <summary>The folder.</summary>
    public required string Folder { get; init; }
    /// <summary>The text encoder's graph.</summary>
    public required string TextEncoder { get; init; }
    /// <summary>The second text encoder's graph (SDXL); null when there is none.</summary>
    public string? TextEncoder2 { get; init; }
    /// <summary>The denoiser's graph.</summary>
    public required string Unet { get; init; }
    /// <summary>The image decoder's graph.</summary>
    public required string VaeDecoder { get; init; }
    /// <summary>The safety checker's graph; null when there is none.</summary>
    public string? SafetyChecker { get; init; }
    /// <summary>The tokenizer's folder.</summary>
    public required string Tokenizer { get; init; }
    /// <summary>The second tokenizer's folder (SDXL); null when there is none.</summary>
    public string? Tokenizer2 { get; init; }
    /// <summary>The noise schedule.</summary>
    public required SchedulerConfig Scheduler { get; init; }
    /// <summary>Latents are multiplied by this after encoding and divided by it before decoding.</summary>
    public required float LatentScale { get; init; }
    /// <summary>Added to latents before decoding.</summary>
    public float LatentShift { get; init; }
    /// <summary>How many pixels a cell of the latent is wide and high.</summary>
    public required int PixelsPerCell { get; init; }
    /// <summary>Width and height, in cells of the latent, that the denoiser was made for; null when the folder does not say.</summary>
    public int? SampleSize { get; init; }
    /// <summary>Length of the embedded guidance scale where the denoiser takes one and its graph does not say how long; null when the folder does not say.</summary>
    public int? GuidanceEmbeddingLength { get; init; }
    /// <summary>Whether an empty negative prompt stands for zeros instead of for the encoded empty text (SDXL).</summary>
    public bool ZerosForEmptyNegative { get; init; }
    /// <summary>What the folder says about itself under <c>_muse</c>.</summary>
    public required MuseSection Muse { get; init; }

    /// <summary>The files that a latent depends on, from the prompt to the last step. The decoder and the safety checker see it only when it is done.</summary>
    internal IEnumerable<string> DenoisedBy =>
    [
        Path.Combine(Folder, "model_index.json"),
        .. FileContent.In(Path.Combine(Folder, "scheduler")),
        .. new[] { Tokenizer, Tokenizer2 }.OfType<string>().SelectMany(FileContent.In),
        .. new[] { TextEncoder, TextEncoder2, Unet }.OfType<string>().SelectMany(FileContent.Beside),
    ];

    /// <summary>A file's name in messages: from the folder's name on.</summary>
    public string Relative(string path) => Relative(Folder, path);

    /// <summary>Reads a folder.</summary>
    /// <param name="folder">The folder with <c>model_index.json</c>.</param>
    /// <param name="preferHalf">Whether <c>model_fp16.onnx</c> is taken where <c>model.onnx</c> lies beside it.</param>
    /// <exception cref="ModelFolderException">A file is missing, or says what can't be.</exception>
    public static ModelManifest Read(string folder, bool preferHalf)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (!Directory.Exists(folder))
            throw new ModelFolderException(folder, "there is no such folder; MUSE_MODEL is to name one with a model_index.json.");
        if (Directory.Exists(Path.Combine(folder, "transformer")))
            throw new ModelFolderException(Relative(folder, Path.Combine(folder, "transformer")), "the model denoises with a transformer (Stable Diffusion 3, Flux); Muse runs models with a unet.");
        var index = Json(folder, "model_index.json", required: true);
        var unet = Json(folder, "unet/config.json", required: false);
        var vae = Json(folder, "vae_decoder/config.json", required: false);
        var two = Directory.Exists(Path.Combine(folder, "text_encoder_2"));
        if (!two && Directory.Exists(Path.Combine(folder, "tokenizer_2")))
            throw new ModelFolderException(Relative(folder, Path.Combine(folder, "text_encoder_2")), "there is no such folder, though there is a tokenizer_2.");
        return new ModelManifest
        {
            Name = Path.GetFileName(folder),
            Folder = folder,
            TextEncoder = Graph(folder, "text_encoder", preferHalf),
            TextEncoder2 = two ? Graph(folder, "text_encoder_2", preferHalf) : null,
            Unet = Graph(folder, "unet", preferHalf),
            VaeDecoder = Graph(folder, "vae_decoder", preferHalf),
            SafetyChecker = Directory.Exists(Path.Combine(folder, "safety_checker")) ? Graph(folder, "safety_checker", preferHalf) : null,
            Tokenizer = TokenizerFolder(folder, "tokenizer"),
            Tokenizer2 = two ? TokenizerFolder(folder, "tokenizer_2") : null,
            Scheduler = Schedule(folder),
            LatentScale = vae.Number("scaling_factor", 1e-6, 1e6) is { } scale ? (float)scale : 0.18215f,
            LatentShift = (float)(vae.Number("shift_factor", -1e6, 1e6) ?? 0),
            PixelsPerCell = 1 << ((vae.Length("block_out_channels") ?? 4) - 1),
            SampleSize = (int?)unet.Number("sample_size", 1, 4096),
            GuidanceEmbeddingLength = (int?)unet.Number("time_cond_proj_dim", 4, 65536),
            ZerosForEmptyNegative = index.Flag("force_zeros_for_empty_prompt") ?? false,
            Muse = MuseSection.Read(index),
        };
    }

    internal static ModelFile Json(string folder, string name, bool required)
    {
        string path = Path.Combine(folder, name), relative = Relative(folder, path);
        if (!File.Exists(path))
            return required ? throw new ModelFolderException(relative, "there is no such file.") : ModelFile.Empty(relative);
        try
        {
            var root = JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;
            return root.ValueKind == JsonValueKind.Object
                ? new ModelFile(relative, root)
                : throw new ModelFolderException(relative, "is not a JSON object.");
        }
        catch (JsonException e)
        {
            throw new ModelFolderException(relative, $"is not JSON: {e.Message}", e);
        }
    }

    static SchedulerConfig Schedule(string folder)
    {
        string path = Path.Combine(folder, "scheduler", "scheduler_config.json"), relative = Relative(folder, path);
        if (!File.Exists(path))
            throw new ModelFolderException(relative, "there is no such file.");
        try
        {
            return SchedulerConfig.Parse(File.ReadAllText(path), relative);
        }
        catch (InvalidDataException e)
        {
            var problem = e.Message.StartsWith(relative, StringComparison.Ordinal) ? e.Message[relative.Length..].TrimStart(':', ' ') : e.Message;
            throw new ModelFolderException(relative, problem, e);
        }
    }

    static string Graph(string folder, string part, bool preferHalf)
    {
        string[] names = preferHalf ? ["model_fp16.onnx", "model.onnx"] : ["model.onnx", "model_fp16.onnx"];
        foreach (var name in names)
        {
            var path = Path.Combine(folder, part, name);
            if (!File.Exists(path))
                continue;
            if (IsLfsPointer(path))
                throw new ModelFolderException(Relative(folder, path), "is a Git LFS pointer, not the model itself; 'git lfs pull' fetches it.");
            return path;
        }
        throw new ModelFolderException(Relative(folder, Path.Combine(folder, part, "model.onnx")), "there is no such file, nor a model_fp16.onnx beside it.");
    }

    static string TokenizerFolder(string folder, string part)
    {
        foreach (var name in (ReadOnlySpan<string>)["vocab.json", "merges.txt"])
        {
            var path = Path.Combine(folder, part, name);
            if (!File.Exists(path))
                throw new ModelFolderException(Relative(folder, path), "there is no such file.");
        }
        return Path.Combine(folder, part);
    }

    static bool IsLfsPointer(string path)
    {
        var start = "version https://git-lfs"u8;
        Span<byte> read = stackalloc byte[start.Length];
        using var file = File.OpenRead(path);
        return file.ReadAtLeast(read, read.Length, throwOnEndOfStream: false) == read.Length && read.SequenceEqual(start);
    }

    static string Relative(string folder, string path) =>
        Path.Combine(Path.GetFileName(folder), Path.GetRelativePath(folder, path)).Replace('\\', '/');
}
