using System.Text;
using HarfBuzzSharp;

namespace Muse.Diffusion;

/// <summary>
/// Unicode's normal form C: letters and accents that may be written as one character or as several become the same (UAX #15).
/// </summary>
/// <remarks>
/// <see cref="string.Normalize()"/> asks ICU, which a bare machine or a small container need not have, and without it gives its text back
/// as it was.
/// HarfBuzz carries Unicode's tables with it, so that ids are the same on every machine.
/// </remarks>
static class CanonicalComposition
{
    /// <summary>All text below this is composed: the first combining mark.</summary>
    const char FirstThatMayChange = '\u0300';

    static readonly UnicodeFunctions Unicode = UnicodeFunctions.Default;

    /// <summary>The text, composed. Half a surrogate pair becomes the replacement character.</summary>
    public static string Compose(string text) =>
        text.AsSpan().ContainsAnyInRange(FirstThatMayChange, char.MaxValue) ? Composed(Ordered(text)) : text;

    /// <summary>Fully decomposed, the marks of each letter in canonical order.</summary>
    static List<Scalar> Ordered(string text)
    {
        var scalars = new List<Scalar>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            Decompose((uint)rune.Value);
        return scalars;

        void Decompose(uint value)
        {
            if (Unicode.TryDecompose(value, out var first, out var second))
            {
                Decompose(first);
                if (second != 0)
                    Decompose(second);
                return;
            }

            var scalar = new Scalar(value, (int)Unicode.GetCombiningClass(value));
            var at = scalars.Count;
            // Marks of the same class stay in the order in which they were written.
            if (scalar.Class != 0)
            {
                while (at > 0 && scalars[at - 1].Class > scalar.Class)
                    at--;
            }

            scalars.Insert(at, scalar);
        }
    }

    static string Composed(List<Scalar> scalars)
    {
        var composed = new List<Scalar>(scalars.Count);
        var starter = -1;
        foreach (var scalar in scalars)
        {
            // A mark reaches its letter unless another of its class or above stands between.
            var reaches = starter >= 0 && (starter == composed.Count - 1 || composed[^1].Class < scalar.Class);
            if (reaches && Unicode.TryCompose(composed[starter].Value, scalar.Value, out var together))
            {
                composed[starter] = new Scalar(together, 0);
                continue;
            }

            if (scalar.Class == 0)
                starter = composed.Count;
            composed.Add(scalar);
        }

        var text = new StringBuilder(composed.Count);
        foreach (var scalar in composed)
            text.Append(new Rune(scalar.Value));
        return text.ToString();
    }

    /// <summary>A code point and its canonical combining class: 0 for letters, more for marks that stand with one.</summary>
    readonly record struct Scalar(uint Value, int Class);
}
