namespace Muse.Diffusion;

/// <summary>
/// The shapes of a conditioning's tensors without the batch axis. Rows of one step must have the same; two with equal numbers are equal.
/// </summary>
public sealed class ConditioningShape : IEquatable<ConditioningShape>
{
    readonly int hash;

    /// <param name="tensors">The shape of each tensor, in order.</param>
    public ConditioningShape(params int[][] tensors)
    {
        Tensors = tensors;
        var hashing = new HashCode();
        foreach (var shape in tensors)
        {
            hashing.Add(shape.Length);
            foreach (var dimension in shape)
                hashing.Add(dimension);
        }
        hash = hashing.ToHashCode();
    }

    /// <summary>The shape of each tensor.</summary>
    public IReadOnlyList<int[]> Tensors { get; }

    /// <summary>How many values a tensor has.</summary>
    public int LengthOf(int tensor)
    {
        var length = 1;
        foreach (var dimension in Tensors[tensor])
            length *= dimension;
        return length;
    }

    /// <inheritdoc/>
    public bool Equals(ConditioningShape? other)
    {
        if (ReferenceEquals(this, other))
            return true;
        if (other is null || hash != other.hash || Tensors.Count != other.Tensors.Count)
            return false;
        for (var i = 0; i < Tensors.Count; i++)
        {
            if (!Tensors[i].AsSpan().SequenceEqual(other.Tensors[i]))
                return false;
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ConditioningShape);

    /// <inheritdoc/>
    public override int GetHashCode() => hash;

    /// <summary>Whether two shapes have equal numbers.</summary>
    public static bool operator ==(ConditioningShape? left, ConditioningShape? right) => left is null ? right is null : left.Equals(right);

    /// <summary>Whether two shapes differ.</summary>
    public static bool operator !=(ConditioningShape? left, ConditioningShape? right) => !(left == right);
}
