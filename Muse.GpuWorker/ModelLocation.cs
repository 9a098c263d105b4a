namespace Muse.GpuWorker;

/// <summary>Finds the model's folder.</summary>
static class ModelLocation
{
    /// <summary>The built-in model, from the repository's root.</summary>
    static readonly string BuiltIn = Path.Combine("models", "scenes");

    /// <summary>The folder of the setting, or the built-in model's.</summary>
    /// <param name="setting">The setting, or null.</param>
    /// <param name="starts">Where to begin looking for the built-in model, upwards.</param>
    public static string Find(string? setting, params string[] starts)
    {
        if (!string.IsNullOrWhiteSpace(setting))
            return Path.GetFullPath(setting);
        foreach (var start in starts)
        {
            for (var at = new DirectoryInfo(start); at is not null; at = at.Parent)
            {
                if (Directory.Exists(Path.Combine(at.FullName, BuiltIn)))
                    return Path.Combine(at.FullName, BuiltIn);
            }
        }

        return Path.GetFullPath(BuiltIn);
    }
}
