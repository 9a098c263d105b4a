using Muse.Diffusion.Onnx;
using static Muse.Diffusion.Onnx.AttributeProto.Types;

namespace Muse.Diffusion;

/// <summary>
/// An attention that was exported as single operations, softmax(scale · q · kᵀ) · v, and its fusion to ONNX Runtime's
/// <c>com.microsoft::MultiHeadAttention</c> (https://onnxruntime.ai/docs/ContribOperators.html).
/// </summary>
/// <remarks>
/// Known are heads on an axis of their own, also behind normalisations, rotations and concatenations (Stable Diffusion 3, FLUX), and heads
/// within the batch axis (diffusers' older attention processor); a scale of the scores, or its root on queries and keys; keys that are
/// transposed at once, or with batch and heads flattened meanwhile (PyTorch's newer exporter).
/// </remarks>
sealed class AttentionFusion
{
    // From [batch, heads, tokens, width] to [batch, tokens, heads, width], and back.
    static readonly long[] SwapHeads = [0, 2, 1, 3];

    readonly GraphIndex index;
    readonly StaticShapes shapes;
    readonly string softmax;
    readonly AttentionScores scores;
    readonly Operand? query, key, value;
    readonly double scale;
    readonly (NodeProto Node, bool HeadsAreThird)? result;
    // What asks for the dimensions of a result that no longer is.
    readonly List<NodeProto> resultShapes = [];
    List<NodeProto> added = [];
    int names;

    AttentionFusion(GraphIndex index, StaticShapes shapes, string softmax, AttentionScores scores, NodeProto product)
    {
        (this.index, this.shapes, this.softmax, this.scores) = (index, shapes, softmax, scores);
        var queries = AttentionScores.Unscaled(scores.Product.Input[0], index, shapes);
        var transposed = AttentionScores.Unscaled(scores.Product.Input[1], index, shapes);
        var keys = KeysOf(transposed.Value) is { } name ? AttentionScores.Unscaled(name, index, shapes) : ("", 1);
        scale = scores.Scale * queries.Factor * transposed.Factor * keys.Factor;
        query = OperandOf(queries.Value);
        key = keys.Value != "" ? OperandOf(keys.Value) : TransposedOperandOf(transposed.Value);
        value = OperandOf(product.Input[1]);
        result = ResultOf(product);
    }

    /// <param name="Value">A value of four axes.</param>
    /// <param name="Order">How it is transposed to [batch, tokens, heads, width]; null where it is that.</param>
    /// <param name="Heads">The number of heads.</param>
    /// <param name="Batch">The size of the batch; null where it varies.</param>
    sealed record Operand(string Value, long[]? Order, long Heads, long? Batch);

    /// <summary>
    /// Whether something is added to the scores, as text encoders do. That is not fused: ONNX Runtime's kernel computes it as the single
    /// operations do, with all scores in memory.
    /// </summary>
    public bool IsMasked => scores.IsMasked;

    /// <summary>Whether all of it is known.</summary>
    public bool CanFuse =>
        !IsMasked && query is not null && key is not null && value is not null && result is not null
        && key.Heads == query.Heads && value.Heads == query.Heads
        && IsOneBatch(query.Batch, key.Batch) && IsOneBatch(query.Batch, value.Batch);

    /// <summary>Finds the attentions of a graph, also those that can't be fused.</summary>
    /// <param name="index">The graph.</param>
    /// <param name="shapes">What is known of its values.</param>
    /// <param name="opset">The version of ONNX' operations.</param>
    public static List<AttentionFusion> Find(GraphIndex index, StaticShapes shapes, long opset)
    {
        var found = new List<AttentionFusion>();
        foreach (var softmax in index.Nodes.Where(node => node.OpType == "Softmax"))
        {
            var rank = shapes.DimensionsOf(softmax.Output[0])?.Length;
            var axis = softmax.Attribute.FirstOrDefault(attribute => attribute.Name == "axis")?.I ?? (opset < 13 ? 1 : -1);
            if ((axis == -1 || axis + 1 == rank)
                && AttentionScores.Before(softmax.Input[0], index, shapes) is { } scores
                && ProductAfter(softmax.Output[0], index) is { } product)
            {
                found.Add(new AttentionFusion(index, shapes, softmax.Output[0], scores, product));
            }
        }
        return found;
    }

    /// <summary>Puts one operation in the place of this attention.</summary>
    public void Fuse()
    {
        var (last, headsAreThird) = result!.Value;
        string q = Together(query!, "query"), k = Together(key!, "key"), v = Together(value!, "value");
        var attention = Do("MultiHeadAttention", [q, k, v], "heads",
            new AttributeProto { Name = "num_heads", Type = AttributeType.Int, I = query!.Heads },
            new AttributeProto { Name = "scale", Type = AttributeType.Float, F = (float)scale });
        added[^1].Domain = "com.microsoft";
        var apart = Do("Reshape", [attention, index.Integers($"muse/apart/{query.Heads}", 0, 0, query.Heads, -1)], "apart");
        if (!headsAreThird)
            Do("Transpose", [apart], "result", Permutation(SwapHeads));
        ReplaceBy(last, added);
        foreach (var shape in resultShapes)
        {
            added = [];
            ShapeOfHeadsInBatch();
            ReplaceBy(shape, added);
        }
    }

    void ReplaceBy(NodeProto node, List<NodeProto> nodes)
    {
        nodes[^1].Output[0] = node.Output[0];
        index.Replace(node, nodes);
    }

    // MultiHeadAttention repeats no row, as products of matrices do.
    static bool IsOneBatch(long? a, long? b) => a == b || a is not 1 && b is not 1 && (a is null || b is null);

    // From a softmax on to the product with the values.
    static NodeProto? ProductAfter(string name, GraphIndex index) => index.OnlyConsumer(name) switch
    {
        { OpType: "MatMul" } product when product.Input[0] == name && index.IsComputed(product.Input[1]) => product,
        { OpType: "Cast" or "Identity" or "Dropout" } passed when passed.Input[0] == name => ProductAfter(passed.Output[0], index),
        _ => null,
    };

    // [batch, heads, tokens, width], or [batch · heads, tokens, width] that is reshaped from it.
    Operand? OperandOf(string name)
    {
        switch (shapes.DimensionsOf(name))
        {
            case [var batch, { } heads, _, _]:
                return Transposed(name, SwapHeads) is { } before ? new(before, null, heads, batch) : new(name, SwapHeads, heads, batch);
            case [_, _, { } width] when index.Producer(name, "Reshape") is { } flattened:
                var apart = flattened.Input[0];
                return shapes.DimensionsOf(apart) is [_, _, _, { } same] && same == width && Transposed(apart, SwapHeads) is not null
                    ? OperandOf(apart) : null;
            default:
                return null;
        }
    }

    // [batch, heads, width, tokens].
    Operand? TransposedOperandOf(string name) => shapes.DimensionsOf(name) is not [var batch, { } heads, _, _] ? null
        : Transposed(name, [0, 2, 3, 1]) is { } before ? new(before, null, heads, batch) : new(name, [0, 3, 1, 2], heads, batch);

    // The keys that were transposed with nothing but that.
    string? KeysOf(string transposed) =>
        Transposed(transposed, [0, 1, 3, 2]) ?? Transposed(transposed, [0, 2, 1]) ?? FlattenedKeysOf(transposed);

    string? FlattenedKeysOf(string transposed) =>
        index.Producer(transposed, "Reshape") is { } apart && Transposed(apart.Input[0], [0, 2, 1]) is { } flat
        && index.Producer(flat, "Reshape") is { } flattened
        && shapes.DimensionsOf(flattened.Input[0]) is [_, { } heads, _, { } width]
        && shapes.DimensionsOf(flat) is [_, _, var flatWidth] && flatWidth == width
        && shapes.DimensionsOf(transposed) is [_, var sameHeads, var sameWidth, _] && sameHeads == heads && sameWidth == width
            ? flattened.Input[0] : null;

    // What was transposed in this order; null where it was not.
    string? Transposed(string name, ReadOnlySpan<long> order) =>
        index.Producer(name, "Transpose") is { Attribute: [{ Name: "perm" } given] } node && order.SequenceEqual([.. given.Ints])
            ? node.Input[0] : null;

    // The operation whose result is that of the attention, and whether it is [batch, tokens, heads, width].
    (NodeProto, bool)? ResultOf(NodeProto product)
    {
        if (shapes.DimensionsOf(product.Output[0]) is [_, _, _, _])
        {
            var next = index.OnlyConsumer(product.Output[0]);
            return next is not null && Transposed(next.Output[0], SwapHeads) is not null ? (next, true) : (product, false);
        }
        // diffusers' older processor computes the shape of its last reshaping from this one's result.
        var consumers = index.Consumers(product.Output[0]) ?? [];
        resultShapes.AddRange(consumers.Where(node => node is { OpType: "Shape", Attribute.Count: 0 }));
        return consumers.Except(resultShapes).ToArray() is [{ OpType: "Reshape" } apart]
            && shapes.DimensionsOf(apart.Output[0]) is [_, { } heads, _, _] && heads == query?.Heads
            && index.OnlyConsumer(apart.Output[0]) is { } swapped && Transposed(swapped.Output[0], SwapHeads) is not null
                ? (swapped, true) : null;
    }

    // [batch, tokens, heads · width]. To reshape costs nothing, and ONNX Runtime drops a transposition that undoes another.
    string Together(Operand operand, string role)
    {
        var tokens = operand.Order is { } order ? Do("Transpose", [operand.Value], $"{role}/tokens", Permutation(order)) : operand.Value;
        return Do("Reshape", [tokens, index.Integers("muse/together", 0, 0, -1)], role);
    }

    // [batch · heads, queries, width of a value], of operands [batch, tokens, heads, width].
    void ShapeOfHeadsInBatch()
    {
        string queries = Do("Shape", [query!.Value], "query/shape"), values = Do("Shape", [value!.Value], "value/shape");
        var batch = Do("Gather", [queries, index.Integers("muse/0", 0)], "batch");
        Do("Concat",
        [
            Do("Mul", [batch, index.Integers($"muse/heads/{query.Heads}", query.Heads)], "batch/heads"),
            Do("Gather", [queries, index.Integers("muse/1", 1)], "queries"),
            Do("Gather", [values, index.Integers("muse/3", 3)], "width"),
        ], "shape", Axis(0));
    }

    string Do(string operation, string[] inputs, string result, params AttributeProto[] attributes)
    {
        var name = $"muse/{softmax}/{result}/{names++}";
        added.Add(new NodeProto { Name = name, OpType = operation, Input = { inputs }, Output = { name }, Attribute = { attributes } });
        return name;
    }

    static AttributeProto Axis(long axis) => new() { Name = "axis", Type = AttributeType.Int, I = axis };

    static AttributeProto Permutation(long[] order) => new() { Name = "perm", Type = AttributeType.Ints, Ints = { order } };
}
