namespace Muse.Diffusion;

/// <summary>Conditioning from a T5 text encoder: the states of a fixed number of tokens, with padding as in the pipelines.</summary>
sealed class T5Conditioner : PromptConditioner
{
    readonly T5Tokenizer tokenizer;
    readonly TextEncoder encoder;
    readonly int tokens;
    readonly string states;

    /// <param name="folder">The model's folder.</param>
    /// <param name="open">Loads the graph of a part.</param>
    /// <param name="part">The folders of the text encoder and of its tokenizer.</param>
    /// <param name="tokens">How many tokens a prompt is filled up or cut off to.</param>
    /// <param name="states">The name of the tensor with the states, tokens × width.</param>
    public T5Conditioner(ModelFolder folder, Func<string, Graph> open, (string Encoder, string Tokenizer) part, int tokens, string states)
    {
        (this.tokens, this.states) = (tokens, states);
        tokenizer = T5Tokenizer.Load(folder.PathOf(part.Tokenizer), folder.Relative(part.Tokenizer));
        try
        {
            encoder = new TextEncoder(open(part.Encoder), tokens, ClipLayer.Last, pooled: null);
        }
        catch
        {
            tokenizer.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override Conditioning Encode(string? prompt, ConditioningShape? minimumShape)
    {
        var (ids, cutOff) = tokenizer.Encode(prompt ?? "", tokens);
        var hidden = encoder.Encode(ids).Hidden;
        return new Conditioning([new(states, hidden, tokens, hidden.Length / tokens)], cutOff);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        encoder.Dispose();
        tokenizer.Dispose();
    }
}
