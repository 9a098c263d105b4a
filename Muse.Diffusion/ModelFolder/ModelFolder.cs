namespace Muse.Diffusion;

/// <summary>A folder in the layout of diffusers' pipelines: where its parts are and what its JSON files say.</summary>
/// <remarks>It knows no kind of model; what the parts mean is the <see cref="ModelFamily"/>'s to say.</remarks>
sealed class ModelFolder
{
    ModelFolder(string path)
    {
        Path = path;
        Name = System.IO.Path.GetFileName(path);
        Index = RequiredJson("model_index.json");
        Muse = MuseSection.Read(Index);
        Scheduler = SchedulerConfigReader.Read(RequiredJson("scheduler/scheduler_config.json"));
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

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ModelFolderException">There is no such folder, or a file that every folder has is missing or wrong.</exception>
    public static ModelFolder Open(string path)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        return Directory.Exists(path)
            ? new ModelFolder(path)
            : throw new ModelFolderException(path, "there is no such folder; MUSE_MODEL is to name one with a model_index.json.");
    }

    /// <summary>Whether there is a folder of this name in it.</summary>
    public bool Has(string part) => Directory.Exists(PathOf(part));

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
        string[] names = preferHalf ? ["model_fp16.onnx", "model.onnx"] : ["model.onnx", "model_fp16.onnx"];
        foreach (var name in names)
        {
            var path = System.IO.Path.Combine(PathOf(part), name);
            if (!File.Exists(path))
                continue;
            return IsLfsPointer(path)
                ? throw Refused(path, "is a Git LFS pointer, not the model itself; 'git lfs pull' fetches it.")
                : path;
        }
        throw Refused($"{part}/model.onnx", "there is no such file, nor a model_fp16.onnx beside it.");
    }

    JsonFile RequiredJson(string name) => JsonFile.Read(PathOf(name), Relative(name)) ?? throw Refused(name, "there is no such file.");

    static bool IsLfsPointer(string path)
    {
        var start = "version https://git-lfs"u8;
        Span<byte> read = stackalloc byte[start.Length];
        using var file = File.OpenRead(path);
        return file.ReadAtLeast(read, read.Length, throwOnEndOfStream: false) == read.Length && read.SequenceEqual(start);
    }
}
