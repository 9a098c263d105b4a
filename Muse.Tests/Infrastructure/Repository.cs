namespace Muse.Tests.Infrastructure;

/// <summary>Folders of the repository, found from the folder of the test's binary upwards.</summary>
public static class Repository
{
    /// <summary>The folder that holds <c>Muse.slnx</c>.</summary>
    public static string Root { get; } =
        Ancestors(AppContext.BaseDirectory).First(folder => File.Exists(Path.Combine(folder, "Muse.slnx")));

    /// <summary>A file or folder of the shared reference data; skips the test where the data isn't there.</summary>
    public static string Reference(params string[] parts)
    {
        var found = Ancestors(Root).Select(folder => Path.Combine([folder, "shared", "reference", .. parts])).FirstOrDefault(Path.Exists);
        Skip.If(found is null, $"The reference data shared/reference/{string.Join('/', parts)} is not beside this checkout.");
        return found!;
    }

    static IEnumerable<string> Ancestors(string folder)
    {
        for (var at = new DirectoryInfo(folder); at is not null; at = at.Parent)
            yield return at.FullName;
    }
}
