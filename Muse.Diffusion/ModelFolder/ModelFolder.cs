using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Muse.Diffusion;

/// <summary>A folder in the layout of diffusers' pipelines: where its parts are and what its JSON files say.</summary>
/// <remarks>It knows no kind of model; what the parts mean is the <see cref="ModelFamily"/>'s to say.</remarks>
sealed class ModelFolder
{
    const string SingleGraph = "model.onnx", HalfGraph = "model_fp16.onnx";
    const string T5Class = "T5EncoderModel";

    readonly bool withoutT5;

    ModelFolder(string path, bool withoutT5)
    {
        Path = path;
        this.withoutT5 = withoutT5;
        Name = System.IO.Path.GetFileName(path);
        Index = RequiredJson("model_index.json");
        Muse = MuseSection.Read(Index);
        Scheduler = SchedulerConfigReader.Read(RequiredJson("scheduler/scheduler_config.json"));
        T5Encoder = Parts.FirstOrDefault(IsT5);
    }

    /// <summary>The folder's name.</summary>
    public string Name { get; }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary><c>model_index.json</c>.</summary>
    public JsonFile Index { get; }

    /// <summary>What <c>model_index.json</c> says under <c>_muse</c>.</summary>
    public MuseSection Muse { get; }

    /// <summary>The noise schedule, as <c>scheduler/scheduler_config.json</c> says it.</summary>
    public SchedulerConfig Scheduler { get; }

    /// <summary>The part that is a T5 text encoder; null where there is none.</summary>
    public string? T5Encoder { get; }

    /// <summary>The folders in it.</summary>
    public IEnumerable<string> Parts => Directory.GetDirectories(Path).Select(part => System.IO.Path.GetFileName(part)!).Order();

    /// <summary>Opens a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="withoutT5">Whether <see cref="T5Encoder"/> counts as absent.</param>
    /// <exception cref="ModelFolderException">There is no such folder, or a file that every folder has is missing or wrong.</exception>
    public static ModelFolder Open(string path, bool withoutT5 = false)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        return Directory.Exists(path)
            ? new ModelFolder(path, withoutT5)
            : throw new ModelFolderException(path, "there is no such folder; MUSE_MODEL is to name one with a model_index.json.");
    }

    /// <summary>Whether there is a folder of this name in it.</summary>
    public bool Has(string part) => !IsLeftOut(part) && Directory.Exists(PathOf(part));

    /// <summary>Where something in the folder is.</summary>
    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Something's name in messages: from the folder's name on.</summary>
    public string Relative(string name) =>
        System.IO.Path.Combine(Name, System.IO.Path.GetRelativePath(Path, PathOf(name))).Replace('\\', '/');

    /// <summary>A JSON file; one without keys when there is none.</summary>
    /// <exception cref="ModelFolderException">It is not a JSON object.</exception>
    public JsonFile Json(string name) => JsonFile.Read(PathOf(name), Relative(name)) ?? JsonFile.Empty(Relative(name));

    /// <summary>An error about something in the folder.</summary>
    public ModelFolderException Refused(string name, string problem) => new(Relative(name), problem);

    /// <summary>The path of a part's graph: <c>model.onnx</c> or <c>model_fp16.onnx</c> in its folder.</summary>
    /// <param name="part">The part's folder, for example <c>text_encoder</c>.</param>
    /// <param name="preferHalf">Which one is taken where both are there.</param>
    /// <exception cref="ModelFolderException">There is neither, or it is a Git LFS pointer.</exception>
    public string Graph(string part, bool preferHalf)
    {
        if (IsLeftOut(part))
            throw Refused(part, "Device:T5 is None, and this kind of model can't do without T5; it can be Device or Cpu.");
        string[] names = preferHalf ? [HalfGraph, SingleGraph] : [SingleGraph, HalfGraph];
        foreach (var name in names)
        {
            var path = System.IO.Path.Combine(PathOf(part), name);
            if (!File.Exists(path))
                continue;
            return IsLfsPointer(path)
                ? throw Refused(path, "is a Git LFS pointer, not the model itself; 'git lfs pull' fetches it.")
                : path;
        }
        throw Refused($"{part}/{SingleGraph}", $"there is no such file, nor a {HalfGraph} beside it.");
    }

    /// <summary>
    /// About how much memory the weights of a part's graph take, in bytes, by the sizes of its files; 0 where there is no graph.
    /// </summary>
    /// <param name="part">The part's folder.</param>
    /// <param name="onHost">Whether it runs on the CPU, where ONNX Runtime converts half precision to single.</param>
    public long GraphBytes(string part, bool onHost)
    {
        string[] names = onHost ? [SingleGraph, HalfGraph] : [HalfGraph, SingleGraph];
        if (!Has(part) || names.FirstOrDefault(name => File.Exists(System.IO.Path.Combine(PathOf(part), name))) is not { } graph)
            return 0;
        var bytes = new DirectoryInfo(PathOf(part)).GetFiles()
            .Where(file => file.Name.StartsWith(graph, StringComparison.Ordinal) || !IsKnownFile(file.Name))
            .Sum(file => file.Length);
        return onHost ? bytes + HalfPrecisionBytes(System.IO.Path.Combine(PathOf(part), graph)) : bytes;

        // Files of weights have any name; exporters begin it with the graph's, or give each tensor a file.
        bool IsKnownFile(string name) => name.EndsWith(".json", StringComparison.Ordinal) || name.EndsWith(".txt", StringComparison.Ordinal)
            || names.Any(other => name.StartsWith(other, StringComparison.Ordinal));
    }

    // Of weights in half precision. A file that is no graph has none; what loads it says what is wrong.
    static long HalfPrecisionBytes(string graph)
    {
        try
        {
            return OnnxFile.Read(graph).Graph.Initializer.Where(tensor => tensor.DataType == OnnxFile.Float16)
                .Sum(tensor => tensor.Dims.Aggregate((long)Unsafe.SizeOf<Half>(), (product, dimension) => product * dimension));
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException)
        {
            return 0;
        }
    }

    bool IsLeftOut(string part) => withoutT5 && part == T5Encoder;

    bool IsT5(string part) =>
        part.StartsWith("text_encoder", StringComparison.Ordinal)
        && (Json($"{part}/config.json").Text("model_type") == "t5"
            || Index.List(part).Any(item => item.ValueKind == JsonValueKind.String && item.GetString() == T5Class));

    JsonFile RequiredJson(string name) => JsonFile.Read(PathOf(name), Relative(name)) ?? throw Refused(name, "there is no such file.");

    static bool IsLfsPointer(string path)
    {
        var start = "version https://git-lfs"u8;
        Span<byte> read = stackalloc byte[start.Length];
        using var file = File.OpenRead(path);
        return file.ReadAtLeast(read, read.Length, throwOnEndOfStream: false) == read.Length && read.SequenceEqual(start);
    }
}
