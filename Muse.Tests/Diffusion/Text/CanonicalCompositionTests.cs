using System.Globalization;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Text;

public class CanonicalCompositionTests
{
    /// <summary>Texts and their normal form C by Python's Unicode tables; <c>composition.py</c> writes it.</summary>
    static IEnumerable<(string Text, string Composed)> Recorded() =>
        File.ReadLines(Path.Combine(Repository.Root, "Muse.Tests", "Diffusion", "Text", "composition.txt"))
            .Where(line => !line.StartsWith('#'))
            .Select(line => line.Split(';'))
            .Select(parts => (Spelled(parts[0]), Spelled(parts[1])));

    [Fact]
    public void Every_letter_and_accent_of_Unicode_composes_as_Python_does_it()
    {
        var wrong = Recorded().Where(one => CanonicalComposition.Compose(one.Text) != one.Composed)
            .Select(one => $"{Points(one.Text)} became {Points(CanonicalComposition.Compose(one.Text))} and not {Points(one.Composed)}");
        Assert.InRange(Recorded().Count(), 5000, int.MaxValue);
        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_Korean_syllable_is_put_together_from_its_parts()
    {
        for (var syllable = 0; syllable < 11172; syllable++)
        {
            var (first, second, third) = (syllable / 588, syllable % 588 / 28, syllable % 28);
            var parts = $"{(char)(0x1100 + first)}{(char)(0x1161 + second)}{(third > 0 ? (char)(0x11A7 + third) : "")}";
            Assert.Equal($"{(char)(0xAC00 + syllable)}", CanonicalComposition.Compose(parts));
        }
    }

    [Fact]
    public void What_is_composed_stays_as_it_is() =>
        Assert.All(Recorded(), one => Assert.Equal(one.Composed, CanonicalComposition.Compose(one.Composed)));

    [Fact]
    public void Half_a_surrogate_pair_is_replaced() =>
        Assert.Equal("a\ufffdé", CanonicalComposition.Compose("a\ud800e\u0301"));

    static string Spelled(string points) =>
        string.Concat(points.Split(' ')
            .Select(point => char.ConvertFromUtf32(int.Parse(point, NumberStyles.HexNumber, CultureInfo.InvariantCulture))));

    static string Points(string text) => string.Join(' ', text.EnumerateRunes().Select(rune => $"U+{rune.Value:X4}"));
}
