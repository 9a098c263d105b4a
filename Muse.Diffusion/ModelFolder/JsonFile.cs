using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Muse.Diffusion;

/// <summary>
/// One JSON file of a model folder, or an object in it; values are checked as they are read. A null value counts as an absent key.
/// </summary>
/// <remarks>
/// A byte order mark is ignored (RFC 8259, 8.1), and Python's <c>Infinity</c> and <c>NaN</c> are read, since diffusers writes them.
/// </remarks>
/// <param name="name">What errors call the file: its path from the model folder's name on.</param>
/// <param name="root">Its object; undefined when there is no such file.</param>
sealed partial class JsonFile(string name, JsonElement root)
{
    const int MaxShown = 80;

    static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>The file, from the model folder's name on.</summary>
    public string Name { get; } = name;

    /// <summary>A file without keys.</summary>
    public static JsonFile Empty(string name) => new(name, default);

    /// <summary>Reads a file.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="name">What errors call it.</param>
    /// <returns>The file; null when there is none.</returns>
    /// <exception cref="ModelFolderException">It is not a JSON object.</exception>
    public static JsonFile? Read(string path, string name) => File.Exists(path) ? Parse(File.ReadAllText(path), name) : null;

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="ModelFolderException">It is not a JSON object.</exception>
    public static JsonFile Parse(string json, string name)
    {
        var root = Root(json.TrimStart('\uFEFF'), name);
        return root.ValueKind == JsonValueKind.Object ? new JsonFile(name, root)
            : throw new ModelFolderException(name, "is not a JSON object.");
    }

    static JsonElement Root(string json, string name)
    {
        try
        {
            return JsonDocument.Parse(json, Lenient).RootElement;
        }
        catch (JsonException exception)
        {
            var standard = PythonNumbers().Replace(json, "\"$0\"");
            return standard.Length == json.Length
                ? throw new ModelFolderException(name, $"is not JSON: {exception.Message}", exception)
                : Root(standard, name);
        }
    }

    /// <summary>Whether a key has a value.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>The keys and values.</summary>
    public IEnumerable<(string Key, JsonElement Value)> Entries =>
        root.ValueKind == JsonValueKind.Object ? root.EnumerateObject().Select(property => (property.Name, property.Value)) : [];

    /// <summary>An object in the file; one without keys when there is none.</summary>
    public JsonFile Object(string key) => Find(key) is { } value
        ? value.ValueKind == JsonValueKind.Object ? new JsonFile(Name, value) : throw Refused(key, "an object")
        : Empty(Name);

    /// <summary>The items of a list; none when there is no list.</summary>
    public IEnumerable<JsonElement> List(string key) => Find(key) is { } value
        ? value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw Refused(key, "a list")
        : [];

    /// <summary>A number in a range; one written as a string is read too.</summary>
    public double? Number(string key, double least, double most)
    {
        if (Find(key) is not { } value)
            return null;
        return AsNumber(value) is { } number && number >= least && number <= most
            ? number
            : throw Refused(key, FormattableString.Invariant($"a number from {least} to {most}"));
    }

    /// <summary>A whole number in a range, in any JSON form (<c>64</c>, <c>64.0</c>, <c>"64"</c>).</summary>
    public int? Whole(string key, int least, int most)
    {
        if (Find(key) is not { } value)
            return null;
        return AsNumber(value) is { } number && number == Math.Floor(number) && number >= least && number <= most
            ? (int)number
            : throw Refused(key, $"a whole number from {least} to {most}");
    }

    /// <summary>A truth value.</summary>
    public bool? Flag(string key) => Find(key) is not { } value
        ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Refused(key, "true or false");

    /// <summary>A list of numbers in a range.</summary>
    /// <param name="key">The key.</param>
    /// <param name="least">The least that each may be.</param>
    /// <param name="most">The most that each may be.</param>
    /// <param name="count">How many there must be; null for any number.</param>
    public float[]? Numbers(string key, double least, double most, int? count = null)
    {
        if (Find(key) is not { } value)
            return null;
        var numbers = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(AsNumber).ToList() : [null];
        return numbers.TrueForAll(number => number >= least && number <= most) && (count is null || numbers.Count == count)
            ? [.. numbers.Select(number => (float)number!.Value)]
            : throw Refused(key, FormattableString.Invariant(
                $"a list of {(count is { } fixedCount ? $"{fixedCount} " : "")}numbers from {least} to {most}"));
    }

    /// <summary>Whether a key's value is a list.</summary>
    public bool IsList(string key) => Find(key) is { ValueKind: JsonValueKind.Array };

    /// <summary>How many items a list has, 1 to 15.</summary>
    public int? Length(string key) => Find(key) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.Array && value.GetArrayLength() is > 0 and < 16 and var length ? length
            : throw Refused(key, "a list");

    /// <summary>A value as text, whatever its kind; null when there is none.</summary>
    public string? Text(string key) => Find(key)?.ToString();

    /// <summary>A token given as a string or as an object with its <c>content</c>; null for anything else.</summary>
    public string? Token(string key)
    {
        var value = Find(key);
        if (value is { ValueKind: JsonValueKind.Object } described && described.TryGetProperty("content", out var content))
            value = content;
        return value is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
    }

    /// <summary>One of some strings; null when there is none.</summary>
    public string? Choice(string key, params IReadOnlyCollection<string> allowed) => Find(key) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.String && allowed.Contains(value.GetString()!) ? value.GetString()
            : throw Refused(key, string.Join(", ", allowed));

    /// <summary>An error that names the file, the key, its value and what is allowed.</summary>
    public ModelFolderException Refused(string key, string allowed) => new(Name, $"'{key}' is {Shown(key)}; it must be {allowed}.");

    string Shown(string key)
    {
        if (Find(key) is not { } value)
            return "missing";
        var text = value.GetRawText();
        return text.Length <= MaxShown ? text : text[..MaxShown] + "…";
    }

    JsonElement? Find(string key) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value
            : null;

    static double? AsNumber(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.GetDouble(),
        JsonValueKind.String when double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) =>
            number,
        _ => null,
    };

    [GeneratedRegex(@"(?<=[:\[,]\s*)-?(?:Infinity|NaN)(?=\s*[,}\]])")]
    private static partial Regex PythonNumbers();
}
