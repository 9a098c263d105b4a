using System.IO.Hashing;
using System.Text;

namespace Muse.Diffusion;

/// <summary>Identifies files by their content.</summary>
static class FileContent
{
    /// <summary>A hash of the files' names and contents (XXH3, 128 bits), as hexadecimal digits.</summary>
    public static string HashOf(IEnumerable<string> files)
    {
        var hash = new XxHash128();
        foreach (var file in files)
        {
            hash.Append(Encoding.UTF8.GetBytes(Path.GetFileName(file)));
            using var content = File.OpenRead(file);
            hash.Append(content);
        }
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    /// <summary>
    /// The files beside <paramref name="file"/> and itself: a graph with the weights that it keeps in files of their own.
    /// </summary>
    public static IEnumerable<string> Beside(string file) => In(Path.GetDirectoryName(Path.GetFullPath(file))!);

    /// <summary>The files of a folder, always in the same order.</summary>
    public static IEnumerable<string> In(string folder) => Directory.GetFiles(folder).Order(StringComparer.Ordinal);
}
