using System.Security.Cryptography;
using System.Text;

namespace Muse.ServiceDefaults;

/// <summary>
/// The name under which a model folder is served. It is part of Redis keys, addresses and metrics, so it has only letters, digits, dots,
/// hyphens and underscores.
/// </summary>
public static class ModelKey
{
    const int MaxLength = 64, HashLength = 8;

    /// <summary>
    /// The key of a folder: its name if all characters are safe; otherwise the safe ones and a hash of the name, so that two folders never
    /// share a key.
    /// </summary>
    /// <param name="folder">The folder's path. Only its name counts, because programs may have it at different paths.</param>
    public static string Of(string folder)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
        if (name.Length is > 0 and <= MaxLength && name.All(IsSafe))
            return name;
        var safe = string.Concat(name.Select(c => IsSafe(c) ? c : '-')).Trim('-');
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..HashLength];
        var kept = safe[..Math.Min(safe.Length, MaxLength - HashLength - 1)];
        return kept.Length == 0 ? $"model-{hash}" : $"{kept}-{hash}";
    }

    static bool IsSafe(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-';
}
