using Muse.Diffusion.Onnx;

namespace Muse.Diffusion;

/// <summary>What a softmax is computed of: scale · product, perhaps with a mask.</summary>
/// <param name="Product">The product of two computed values, of queries and transposed keys.</param>
/// <param name="Scale">What it is multiplied with.</param>
/// <param name="IsMasked">Whether something other than zeros is added to it.</param>
sealed record AttentionScores(NodeProto Product, double Scale, bool IsMasked)
{
    /// <summary>Follows a softmax's input back; null where it is not such a sum.</summary>
    public static AttentionScores? Before(string name, GraphIndex index, StaticShapes shapes)
    {
        switch (index.Producer(name))
        {
            case { OpType: "MatMul" } product when product.Input.All(index.IsComputed):
                return new AttentionScores(product, 1, IsMasked: false);
            case { OpType: "Cast" or "Identity" } cast:
                return Before(cast.Input[0], index, shapes);
            case { OpType: "Mul" or "Div" } node when Factor(node, shapes) is var (value, factor):
                return Before(value, index, shapes) is { } unscaled ? unscaled with { Scale = unscaled.Scale * factor } : null;
            case { OpType: "Add" } sum:
                return Sum(sum.Input[0], sum.Input[1], index, shapes) ?? Sum(sum.Input[1], sum.Input[0], index, shapes);
            default:
                return null;
        }
    }

    /// <summary>A value without the number that it is multiplied with or divided by, and the factor.</summary>
    public static (string Value, double Factor) Unscaled(string name, GraphIndex index, StaticShapes shapes)
    {
        var scale = 1.0;
        while (index.Producer(name) is { OpType: "Mul" or "Div" } node && Factor(node, shapes) is var (value, factor))
            (name, scale) = (value, scale * factor);
        return (name, scale);
    }

    static AttentionScores? Sum(string scores, string added, GraphIndex index, StaticShapes shapes) =>
        Before(scores, index, shapes) is not { } found ? null
        : IsZero(added, index, shapes) ? found : found with { IsMasked = true };

    static (string Value, double Factor)? Factor(NodeProto node, StaticShapes shapes) =>
        shapes.NumberOf(node.Input[1]) is { } second ? (node.Input[0], node.OpType == "Div" ? 1 / second : second)
        : node.OpType == "Mul" && shapes.NumberOf(node.Input[0]) is { } first ? (node.Input[1], first)
        : null;

    // PyTorch's baddbmm, of diffusers' older processor, adds a tensor to the scores that is multiplied with 0.
    static bool IsZero(string name, GraphIndex index, StaticShapes shapes) => shapes.IsAll(name, 0) || index.Producer(name) switch
    {
        { OpType: "Mul" } product => product.Input.Any(factor => shapes.IsAll(factor, 0)),
        { OpType: "Cast" or "Identity" or "Expand" } same => IsZero(same.Input[0], index, shapes),
        _ => false,
    };
}
