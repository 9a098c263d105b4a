using System.Text;
using Tokenizers.DotNet;

namespace Muse.Diffusion;

/// <summary>
/// T5's tokenizer: a unigram model over words with a mark at their beginning (Kudo, https://arxiv.org/abs/1804.10959), as
/// <c>tokenizer.json</c> holds it.
/// </summary>
/// <remarks>Run by Hugging Face's own library (docs/decisions/t5-tokenizer.md).</remarks>
sealed class T5Tokenizer : IDisposable
{
    /// <summary>The id that ends every text.</summary>
    public const int EndToken = 1;

    /// <summary>The id that fills the rest.</summary>
    public const int PadToken = 0;

    readonly Tokenizer tokenizer;

    T5Tokenizer(Tokenizer tokenizer) => this.tokenizer = tokenizer;

    /// <summary>Reads the <c>tokenizer.json</c> of a tokenizer's folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="ModelFolderException">It is missing, is not T5's, or can't be read on this platform.</exception>
    public static T5Tokenizer Load(string folder, string name)
    {
        var (path, file) = (Path.Combine(folder, "tokenizer.json"), $"{name}/tokenizer.json");
        var json = JsonFile.Read(path, file) ?? throw new ModelFolderException(file, "there is no such file (spiece.model is not read).");
        if (json.Object("model").Text("type") is var type && type != "Unigram")
            throw new ModelFolderException(file, $"has a tokenizer of the type {type ?? "of no name"}; T5's is Unigram.");
        try
        {
            var opened = new T5Tokenizer(new Tokenizer(path));
            if (opened.Encode("") is [EndToken])
                return opened;
            opened.Dispose();
            throw new ModelFolderException(file, $"does not end a text with the id {EndToken}, as T5's does.");
        }
        catch (TokenizerException e)
        {
            throw new ModelFolderException(file, $"the tokenizers library can't read it: {e.Message}", e);
        }
        catch (DllNotFoundException e)
        {
            throw new ModelFolderException(file, "the tokenizers library has no build for this platform.", e);
        }
    }

    /// <summary>The ids of a text with the end token, without padding. Half a surrogate pair is the replacement character.</summary>
    public int[] Encode(string text)
    {
        var ids = tokenizer.Encode(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)));
        // A file may ask for padding, which follows the end token.
        var length = Array.LastIndexOf(ids, (uint)EndToken) + 1;
        return Array.ConvertAll(ids[..length], id => (int)id);
    }

    /// <summary>The ids of a text as the text encoder takes them: so many, the text's, the end token and padding.</summary>
    /// <param name="text">The text.</param>
    /// <param name="length">How many ids.</param>
    /// <returns>The ids, and the end of the text that did not fit as the ids spell it; null when all of it did.</returns>
    public (int[] Ids, string? CutOff) Encode(string text, int length)
    {
        var all = Encode(text);
        var ids = new int[length];
        Array.Fill(ids, PadToken);
        if (all.Length <= length)
        {
            all.CopyTo(ids, 0);
            return (ids, null);
        }
        all.AsSpan(0, length - 1).CopyTo(ids);
        ids[^1] = EndToken;
        return (ids, tokenizer.Decode(Array.ConvertAll(all[(length - 1)..], id => (uint)id)));
    }

    /// <inheritdoc/>
    public void Dispose() => tokenizer.Dispose();
}
