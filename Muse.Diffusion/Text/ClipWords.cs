using System.Text;

namespace Muse.Diffusion;

/// <summary>
/// Splits lower-case text into the words that CLIP encodes one by one: contractions, runs of letters, single digits, runs of anything else
/// but space.
/// </summary>
static class ClipWords
{
    static readonly string[] Contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

    /// <summary>A word's position in the text, and its id where it is a special or an added token.</summary>
    public readonly record struct Word(int Start, int Length, int? Id = null);

    /// <summary>The words in order. Letters and numbers beyond the first plane count as such, as in CLIP's own splitter.</summary>
    public static IEnumerable<Word> Split(string text, Dictionary<string, int> special)
    {
        for (var at = 0; at < text.Length;)
        {
            if (StartsWithAny(text, at, special.Keys) is { } mark)
            {
                yield return new Word(at, mark.Length, special[mark]);
                at += mark.Length;
                continue;
            }

            var (kind, size) = Next(text, at);
            var end = at + size;
            if (kind == Kind.Space)
            {
                at = end;
                continue;
            }

            if (StartsWithAny(text, at, Contractions) is { } contraction)
            {
                end = at + contraction.Length;
            }
            else if (kind != Kind.Number)
            {
                // A run of other characters takes in what would begin a contraction or a special token, as the regular expression does.
                while (end < text.Length && Next(text, end) is var (following, length) && following == kind)
                    end += length;
            }

            yield return new Word(at, end - at);
            at = end;
        }
    }

    enum Kind
    {
        Space,
        Letter,
        Number,
        Other,
    }

    static (Kind, int Size) Next(string text, int at)
    {
        // Half a surrogate pair decodes as the replacement character: something other.
        Rune.DecodeFromUtf16(text.AsSpan(at), out var rune, out var size);
        var kind = Rune.IsWhiteSpace(rune) ? Kind.Space
            : Rune.IsLetter(rune) ? Kind.Letter
            : Rune.IsNumber(rune) ? Kind.Number
            : Kind.Other;
        return (kind, size);
    }

    static string? StartsWithAny(string text, int at, IReadOnlyCollection<string> candidates)
    {
        foreach (var candidate in candidates)
        {
            if (string.CompareOrdinal(text, at, candidate, 0, candidate.Length) == 0)
                return candidate;
        }

        return null;
    }
}
