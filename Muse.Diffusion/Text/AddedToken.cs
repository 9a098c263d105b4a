namespace Muse.Diffusion;

/// <summary>
/// A token that was added to a tokenizer's vocabulary, for example a textual inversion's word: matched whole, before the text is split in
/// words.
/// </summary>
/// <param name="Content">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="IgnoresCase">Whether it is compared with the lower-cased text (<c>normalized</c>).</param>
/// <param name="SingleWord">Whether it is matched only where no letter or digit is beside it (<c>single_word</c>).</param>
sealed record AddedToken(string Content, int Id, bool IgnoresCase, bool SingleWord)
{
    readonly string lowered = Content.ToLowerInvariant();

    /// <summary>Whether it stands at a position of a text.</summary>
    /// <param name="text">The text as it is written.</param>
    /// <param name="loweredText">The same in lower case.</param>
    /// <param name="at">The position.</param>
    public bool IsAt(string text, string loweredText, int at)
    {
        var (where, what) = IgnoresCase ? (loweredText, lowered) : (text, Content);
        return string.CompareOrdinal(where, at, what, 0, what.Length) == 0
            && (!SingleWord || (!IsPartOfWord(text, at - 1) && !IsPartOfWord(text, at + what.Length)));
    }

    static bool IsPartOfWord(string text, int at) => at >= 0 && at < text.Length && char.IsLetterOrDigit(text[at]);
}
