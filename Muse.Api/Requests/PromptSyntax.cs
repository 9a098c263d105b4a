using System.Text.RegularExpressions;

namespace Muse.Api;

/// <summary>Prompt syntax of popular front ends that has no effect on this server.</summary>
/// <remarks>The patterns are bounded, so that no prompt takes long to look through.</remarks>
static partial class PromptSyntax
{
    /// <summary>A warning for each kind of syntax in a prompt.</summary>
    /// <param name="field">The prompt's field.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="weights">Whether weights and BREAK are read.</param>
    public static IEnumerable<string> Warnings(string field, string prompt, bool weights)
    {
        if (!weights && Weight().IsMatch(prompt))
            yield return ReadAsText(field, "weights such as (red:1.3)");
        if (!weights && Break().IsMatch(prompt))
            yield return ReadAsText(field, "BREAK");
        if (Network().Match(prompt) is { Success: true } network)
        {
            var syntax = $"<{network.Groups[1].Value}:...>";
            yield return weights ? $"'{field}': there are no additional networks here; {syntax} was left out." : ReadAsText(field, syntax);
        }
        if (weights && Alternatives().IsMatch(prompt))
            yield return ReadAsText(field, "a change between steps such as [red:blue:0.5] or [red|blue]");
        if (weights && And().IsMatch(prompt))
            yield return ReadAsText(field, "AND");
    }

    static string ReadAsText(string field, string syntax) => $"'{field}': {syntax} has no special meaning here and was read as text.";

    [GeneratedRegex(@"\([^()]{1,200}:\s*[0-9.]{1,20}\s*\)", RegexOptions.CultureInvariant)]
    private static partial Regex Weight();

    [GeneratedRegex(@"\bBREAK\b", RegexOptions.CultureInvariant)]
    private static partial Regex Break();

    [GeneratedRegex("<(lora|lyco|hypernet):[^<>]+>", RegexOptions.CultureInvariant)]
    private static partial Regex Network();

    [GeneratedRegex(@"\[[^\[\]|]{0,200}(?:\|[^\[\]]{0,200}|:\s*[0-9.]{1,20}\s*)\]", RegexOptions.CultureInvariant)]
    private static partial Regex Alternatives();

    [GeneratedRegex(@"\bAND\b", RegexOptions.CultureInvariant)]
    private static partial Regex And();
}
