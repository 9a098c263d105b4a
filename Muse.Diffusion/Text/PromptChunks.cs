namespace Muse.Diffusion;

/// <summary>
/// A prompt as the text encoder takes it. Prompts longer than a chunk are encoded in several, whose embeddings follow one another.
/// </summary>
public sealed class PromptChunks
{
    readonly int[] empty;

    internal PromptChunks(IReadOnlyList<int[]> chunks, IReadOnlyList<float[]> weights, string? cutOff, int[] empty)
    {
        Chunks = chunks;
        Weights = weights;
        CutOff = cutOff;
        this.empty = empty;
    }

    /// <summary>At least one chunk, each of <see cref="ClipTokenizer.ContextLength"/> ids: start, text, end, padding.</summary>
    public IReadOnlyList<int[]> Chunks { get; }

    /// <summary>The weights of each chunk's tokens: 1 where the prompt gives none, and for start, end and padding.</summary>
    public IReadOnlyList<float[]> Weights { get; }

    /// <summary>
    /// The end of the prompt, as it was written (accents composed), that did not fit: from the first word that is not wholly used. Null
    /// when all of it did.
    /// </summary>
    public string? CutOff { get; }

    /// <summary>The same prompt with empty chunks after it: a prompt and its negative need equally many.</summary>
    /// <param name="count">How many chunks, no fewer than there are.</param>
    public PromptChunks PadTo(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, Chunks.Count);
        var missing = count - Chunks.Count;
        var ones = Enumerable.Repeat(1f, empty.Length).ToArray();
        return new PromptChunks(
            [.. Chunks, .. Enumerable.Repeat(empty, missing)], [.. Weights, .. Enumerable.Repeat(ones, missing)], CutOff, empty);
    }
}
