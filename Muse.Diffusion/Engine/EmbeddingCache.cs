namespace Muse.Diffusion;

/// <summary>The most recently used prompt embeddings by text. For one thread.</summary>
sealed class EmbeddingCache(int capacity)
{
    readonly Dictionary<Entry, LinkedListNode<(Entry Key, PromptEmbedding Value)>> _entries = [];
    readonly LinkedList<(Entry Key, PromptEmbedding Value)> _recent = new();

    /// <summary>What an embedding depends on.</summary>
    public readonly record struct Entry(string Text, bool Negative, int MinTokens);

    public PromptEmbedding GetOrAdd(Entry key, Func<Entry, PromptEmbedding> encode)
    {
        if (_entries.TryGetValue(key, out var node))
        {
            _recent.Remove(node);
            _recent.AddFirst(node);
            return node.Value.Value;
        }
        var value = encode(key);
        _entries[key] = _recent.AddFirst((key, value));
        if (_entries.Count > capacity)
        {
            _entries.Remove(_recent.Last!.Value.Key);
            _recent.RemoveLast();
        }
        return value;
    }
}
