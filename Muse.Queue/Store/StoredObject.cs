using System.Globalization;

namespace Muse.Queue;

/// <summary>Points to an object in the store. Redis holds it as <c>{length} {key}</c>.</summary>
/// <param name="Key">The object's key. It has no spaces.</param>
/// <param name="Length">The object's length, bytes.</param>
readonly record struct StoredObject(string Key, int Length)
{
    /// <summary>Reads a pointer. Null if it is not one.</summary>
    public static StoredObject? Parse(ReadOnlySpan<char> text)
    {
        var space = text.IndexOf(' ');
        return space > 0 && int.TryParse(text[..space], NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            && text[(space + 1)..] is { IsEmpty: false } key
            ? new StoredObject(key.ToString(), length)
            : null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Length} {Key}");
}
