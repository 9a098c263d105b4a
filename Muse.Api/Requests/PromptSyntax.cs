using System.Text.RegularExpressions;

namespace Muse.Api;

/// <summary>Prompt syntax of popular front ends that this server reads as plain text.</summary>
static partial class PromptSyntax
{
    /// <summary>A warning for each kind of syntax in a prompt.</summary>
    public static IEnumerable<string> Warnings(string field, string prompt)
    {
        if (Weight().IsMatch(prompt))
            yield return Warning(field, "weights such as (red:1.3)");
        if (Break().IsMatch(prompt))
            yield return Warning(field, "BREAK");
        if (Network().Match(prompt) is { Success: true } network)
            yield return Warning(field, $"<{network.Groups[1].Value}:...>");
    }

    static string Warning(string field, string syntax) => $"'{field}': {syntax} has no special meaning here and was read as text.";

    [GeneratedRegex(@"\([^()]{1,200}:\s*[0-9]*\.?[0-9]+\s*\)", RegexOptions.CultureInvariant)]
    private static partial Regex Weight();

    [GeneratedRegex(@"\bBREAK\b", RegexOptions.CultureInvariant)]
    private static partial Regex Break();

    [GeneratedRegex("<(lora|lyco|hypernet):[^<>]{1,200}>", RegexOptions.CultureInvariant)]
    private static partial Regex Network();
}
