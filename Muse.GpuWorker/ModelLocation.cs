namespace Muse.GpuWorker;

/// <summary>Finds the model's folder.</summary>
static class ModelLocation
{
    /// <summary>The path of the built-in model, relative to the repository's root.</summary>
    static readonly string BuiltIn = Path.Combine("models", "scenes");

    /// <summary>The folder of the setting, or the built-in model's.</summary>
    /// <param name="setting">The setting, or null.</param>
    /// <param name="starts">Folders. The built-in model is searched in each of them and in its parents.</param>
    public static string Find(string? setting, params string[] starts)
    {
        if (!string.IsNullOrWhiteSpace(setting))
            return Path.GetFullPath(setting);
        foreach (var start in starts)
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                if (Directory.Exists(Path.Combine(folder.FullName, BuiltIn)))
                    return Path.Combine(folder.FullName, BuiltIn);
            }
        }

        return Path.GetFullPath(BuiltIn);
    }
}
