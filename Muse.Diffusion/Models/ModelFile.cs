using System.Text.Json;

namespace Muse.Diffusion;

/// <summary>One JSON file of a model folder; what it says is checked as it is read.</summary>
/// <param name="Name">The file, from the model folder's name on.</param>
/// <param name="Root">Its object; undefined when there is no such file.</param>
readonly record struct ModelFile(string Name, JsonElement Root)
{
    public static ModelFile Empty(string name) => new(name, default);

    /// <summary>An object in it; empty when there is none.</summary>
    public ModelFile Object(string key) => Find(key) is { } value
        ? value.ValueKind == JsonValueKind.Object ? new ModelFile(Name, value) : throw Refused(key, value, "an object")
        : Empty(Name);

    public double? Number(string key, double least, double most)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most
            ? number
            : throw Refused(key, value, FormattableString.Invariant($"a number from {least} to {most}"));
    }

    public int? Whole(string key, int least, int most)
    {
        if (Find(key) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= least && number <= most
            ? number
            : throw Refused(key, value, $"a whole number from {least} to {most}");
    }

    public bool? Flag(string key) => Find(key) is not { } value
        ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Refused(key, value, "true or false");

    public int? Length(string key) => Find(key) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.Array && value.GetArrayLength() is > 0 and < 16 and var length ? length : throw Refused(key, value, "a list");

    public float[]? Numbers(string key) => Find(key) is not { } value
        ? null
        : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(v => v.GetSingle())] : throw Refused(key, value, "a list of numbers");

    JsonElement? Find(string key) =>
        Root.ValueKind == JsonValueKind.Object && Root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    ModelFolderException Refused(string key, JsonElement value, string allowed) => new(Name, $"'{key}' is {value.GetRawText()}; it must be {allowed}.");
}
