namespace Muse.Diffusion;

/// <summary>The most recently used conditionings by text. For one thread.</summary>
/// <param name="capacity">How many are kept.</param>
/// <param name="maxValues">How many values they may have together; those of large text encoders have millions each. 256 MiB.</param>
sealed class ConditioningCache(int capacity, long maxValues = 64 << 20)
{
    readonly Dictionary<Key, LinkedListNode<(Key Key, Conditioning Value)>> nodes = [];
    readonly LinkedList<(Key Key, Conditioning Value)> recent = new();
    long values;

    /// <summary>What a conditioning depends on.</summary>
    /// <param name="Text">The prompt; null for one that is absent.</param>
    /// <param name="MinimumShape">The smallest shape that it may have; null for any.</param>
    /// <param name="Weighted">Whether the syntax of weights in it is read.</param>
    public readonly record struct Key(string? Text, ConditioningShape? MinimumShape, bool Weighted = false);

    public Conditioning GetOrAdd(Key key, Func<Key, Conditioning> encode)
    {
        if (nodes.TryGetValue(key, out var node))
        {
            recent.Remove(node);
            recent.AddFirst(node);
            return node.Value.Value;
        }
        var value = encode(key);
        nodes[key] = recent.AddFirst((key, value));
        values += LengthOf(value);
        while (nodes.Count > capacity || (values > maxValues && nodes.Count > 1))
        {
            values -= LengthOf(recent.Last!.Value.Value);
            nodes.Remove(recent.Last.Value.Key);
            recent.RemoveLast();
        }
        return value;
    }

    static long LengthOf(Conditioning conditioning) => conditioning.Tensors.Sum(tensor => (long)tensor.Values.Length);
}
