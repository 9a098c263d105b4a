using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Muse.Diffusion;

/// <summary>A prompt in the syntax of AUTOMATIC1111's web UI, as runs of text with their weights.</summary>
/// <remarks>
/// <c>(a)</c> multiplies the weight of <c>a</c> by 1.1, <c>[a]</c> divides it by 1.1, <c>(a:1.3)</c> multiplies it by 1.3.
/// Brackets nest. One that is not closed reaches to the end; one that closes nothing is text. A backslash before a bracket or a backslash
/// makes it text; any other backslash is dropped. <c>BREAK</c> begins a new chunk. <c>&lt;lora:name:1&gt;</c> is left out, since
/// there are no such networks here.
/// Two things differ from AUTOMATIC1111's: weights are limited to ±<see cref="MaxWeight"/>, and <c>BREAK</c> works inside brackets too.
/// </remarks>
public sealed partial class WeightedPrompt
{
    /// <summary>The largest weight.</summary>
    public const float MaxWeight = 30;

    const double RoundFactor = 1.1, SquareFactor = 1 / 1.1;

    WeightedPrompt(IReadOnlyList<WeightedText> runs) => Runs = runs;

    /// <summary>The runs in order. Neighbours differ in weight, unless a chunk begins between them.</summary>
    public IReadOnlyList<WeightedText> Runs { get; }

    /// <summary>The text without its syntax.</summary>
    public string Text => string.Concat(Runs.Select((run, i) => run.StartsChunk && i > 0 ? $" {run.Text}" : run.Text));

    /// <summary>Parses a prompt. Every text is a valid prompt. The time is proportional to its length.</summary>
    public static WeightedPrompt Parse(string prompt)
    {
        var parser = new Parser(Networks().Replace(prompt, ""));
        parser.Read();
        return new(parser.Weigh());
    }

    [GeneratedRegex(@"<(?:lora|lyco|hypernet):[^<>]+>", RegexOptions.CultureInvariant)]
    private static partial Regex Networks();

    [GeneratedRegex(@"\bBREAK\b", RegexOptions.CultureInvariant)]
    private static partial Regex Break();

    enum Kind
    {
        Text,
        Break,
        OpenRound,
        CloseRound,
        OpenSquare,
        CloseSquare,
    }

    /// <summary>A piece of the prompt; the factor of an opening bracket is known when its end is.</summary>
    readonly record struct Piece(Kind Kind, string Text = "", double Factor = 1);

    /// <summary>First finds the brackets' factors, then multiplies them: a weight is known only at the end of its bracket.</summary>
    sealed class Parser(string text)
    {
        readonly List<Piece> pieces = [];
        readonly Stack<int> rounds = [], squares = [];
        int at;

        public void Read()
        {
            while (at < text.Length)
            {
                switch (text[at])
                {
                    case '\\':
                        ReadEscape();
                        break;
                    case '(':
                        Open(Kind.OpenRound, rounds, RoundFactor);
                        break;
                    case '[':
                        Open(Kind.OpenSquare, squares, SquareFactor);
                        break;
                    case ')' when rounds.Count > 0:
                        rounds.Pop();
                        Add(new(Kind.CloseRound));
                        break;
                    case ']' when squares.Count > 0:
                        squares.Pop();
                        Add(new(Kind.CloseSquare));
                        break;
                    case ':' when rounds.Count > 0 && WeightAt(at) is var (weight, end):
                        var opening = rounds.Pop();
                        pieces[opening] = pieces[opening] with { Factor = weight };
                        pieces.Add(new(Kind.CloseRound));
                        at = end;
                        break;
                    case ')' or ']' or ':':
                        Add(new(Kind.Text, text[at].ToString()));
                        break;
                    default:
                        ReadText();
                        break;
                }
            }
        }

        /// <summary>The runs: each piece of text with the factors of the brackets around it.</summary>
        public List<WeightedText> Weigh()
        {
            var runs = new List<WeightedText>();
            var (round, square) = (new Stack<double>([1]), new Stack<double>([1]));
            var (run, weight, startsChunk) = (new StringBuilder(), 1f, false);
            foreach (var piece in pieces)
            {
                switch (piece.Kind)
                {
                    case Kind.OpenRound:
                        round.Push(Limited(round.Peek() * piece.Factor));
                        break;
                    case Kind.OpenSquare:
                        square.Push(square.Peek() * piece.Factor);
                        break;
                    case Kind.CloseRound:
                        round.Pop();
                        break;
                    case Kind.CloseSquare:
                        square.Pop();
                        break;
                    case Kind.Break:
                        Flush();
                        startsChunk = true;
                        break;
                    default:
                        var next = (float)Limited(round.Peek() * square.Peek());
                        if (next != weight && run.Length > 0)
                            Flush();
                        weight = next;
                        run.Append(piece.Text);
                        break;
                }
            }
            Flush();
            return runs;

            void Flush()
            {
                if (run.Length > 0 || startsChunk)
                    runs.Add(new(run.ToString(), run.Length > 0 ? weight : 1, startsChunk));
                run.Clear();
                startsChunk = false;
            }
        }

        static double Limited(double weight) => Math.Clamp(weight, -MaxWeight, MaxWeight);

        void Add(Piece piece)
        {
            pieces.Add(piece);
            at++;
        }

        void Open(Kind kind, Stack<int> open, double factor)
        {
            open.Push(pieces.Count);
            Add(new(kind, Factor: factor));
        }

        void ReadEscape()
        {
            at++;
            if (at < text.Length && text[at] is '(' or ')' or '[' or ']' or '\\')
                Add(new(Kind.Text, text[at].ToString()));
        }

        void ReadText()
        {
            var end = text.AsSpan(at).IndexOfAny(@"\()[]:") is var length and >= 0 ? at + length : text.Length;
            var parts = Break().Split(text[at..end]);
            for (var i = 0; i < parts.Length; i++)
            {
                if (i > 0)
                    pieces.Add(new(Kind.Break));
                // The space around a BREAK is not part of the text.
                var part = i > 0 ? parts[i].TrimStart() : parts[i];
                part = i < parts.Length - 1 ? part.TrimEnd() : part;
                if (part.Length > 0)
                    pieces.Add(new(Kind.Text, part));
            }
            at = end;
        }

        /// <summary>The number between a colon and a closing bracket, and what follows them; null where there is none.</summary>
        (double Weight, int End)? WeightAt(int colon)
        {
            var start = colon + 1;
            while (start < text.Length && char.IsWhiteSpace(text[start]))
                start++;
            var end = start;
            while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] == '.' || (end == start && text[end] is '+' or '-')))
                end++;
            var close = end;
            while (close < text.Length && char.IsWhiteSpace(text[close]))
                close++;
            return close < text.Length && text[close] == ')'
                && double.TryParse(text.AsSpan(start, end - start), NumberStyles.Float, CultureInfo.InvariantCulture, out var weight)
                ? (Math.Clamp(weight, -MaxWeight, MaxWeight), close + 1)
                : null;
        }
    }
}

/// <summary>A run of text with one weight.</summary>
/// <param name="Text">The text; may be empty where a chunk begins.</param>
/// <param name="Weight">What the states of its tokens are multiplied by; 1 changes nothing.</param>
/// <param name="StartsChunk">Whether a new chunk begins before it (<c>BREAK</c>).</param>
public readonly record struct WeightedText(string Text, float Weight = 1, bool StartsChunk = false);
