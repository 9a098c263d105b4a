namespace Muse.Tests.Diffusion;

/// <summary>Finds the field's reference data: a <c>shared/reference</c> folder beside the checkout or above it.</summary>
static class ReferenceData
{
    public const string Missing = "There is no shared/reference folder beside the checkout or above it.";

    static readonly string? Root = Find();

    /// <summary>The path of a file or folder under shared/reference; null where there is none.</summary>
    public static string? Path(params string[] parts) => Root is null ? null : System.IO.Path.Combine([Root, .. parts]);

    static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = System.IO.Path.Combine(folder.FullName, "shared", "reference");
            if (Directory.Exists(candidate)) return candidate;
        }

        return null;
    }
}
