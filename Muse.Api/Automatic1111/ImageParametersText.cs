using System.Text.RegularExpressions;

namespace Muse.Api;

/// <summary>Reads the text that says how an image was made: the prompt, the negative prompt, and a line of settings.</summary>
static partial class ImageParametersText
{
    const string Negative = "Negative prompt: ";

    /// <summary>The fields under the names that AUTOMATIC1111's web UI has for them.</summary>
    public static Dictionary<string, string> Parse(string text)
    {
        var fields = new Dictionary<string, string>();
        if (text.Length == 0)
            return fields;
        var lines = text.Trim().Split('\n');
        var hasSettings = Setting().Count(lines[^1]) >= 3;
        var (prompt, negative, isNegative) = (new List<string>(), new List<string>(), false);
        foreach (var line in hasSettings ? lines[..^1] : lines)
        {
            var starts = line.StartsWith(Negative, StringComparison.Ordinal);
            isNegative |= starts;
            (isNegative ? negative : prompt).Add(starts ? line[Negative.Length..] : line);
        }
        fields["Prompt"] = string.Join('\n', prompt).Trim();
        fields["Negative prompt"] = string.Join('\n', negative).Trim();
        if (!hasSettings)
            return fields;
        foreach (Match setting in Setting().Matches(lines[^1]))
        {
            var (name, value) = (setting.Groups[1].Value.Trim(), setting.Groups[2].Value.Trim().Trim('"'));
            if (Dimensions().Match(value) is { Success: true } size)
                (fields[$"{name}-1"], fields[$"{name}-2"]) = (size.Groups[1].Value, size.Groups[2].Value);
            else
                fields[name] = value;
        }
        return fields;
    }

    [GeneratedRegex("""([A-Za-z][\w \-/]{0,60}):\s*("[^"]*"|[^,]*)(?:,|$)""", RegexOptions.CultureInvariant)]
    private static partial Regex Setting();

    [GeneratedRegex("^([0-9]{1,6})x([0-9]{1,6})$", RegexOptions.CultureInvariant)]
    private static partial Regex Dimensions();
}
