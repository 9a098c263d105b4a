namespace Muse.Diffusion;

/// <summary>The most recently used prompt embeddings by text. For one thread.</summary>
sealed class EmbeddingCache(int capacity)
{
    readonly Dictionary<Entry, LinkedListNode<(Entry Key, PromptEmbedding Value)>> entries = [];
    readonly LinkedList<(Entry Key, PromptEmbedding Value)> recent = new();

    /// <summary>What an embedding depends on.</summary>
    public readonly record struct Entry(string Text, bool Negative, int MinTokens);

    public PromptEmbedding GetOrAdd(Entry key, Func<Entry, PromptEmbedding> encode)
    {
        if (entries.TryGetValue(key, out var node))
        {
            recent.Remove(node);
            recent.AddFirst(node);
            return node.Value.Value;
        }
        var value = encode(key);
        entries[key] = recent.AddFirst((key, value));
        if (entries.Count > capacity)
        {
            entries.Remove(recent.Last!.Value.Key);
            recent.RemoveLast();
        }
        return value;
    }
}
