using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.Fusion;

/// <summary>
/// An attention of 4 heads of 8 over <c>q</c>, <c>k</c> and <c>v</c> [batch, tokens, 32], as PyTorch's newer exporter writes it: the root
/// of the scale on queries and keys, and keys that are transposed with batch and heads flattened
/// (https://github.com/microsoft/onnxscript, <c>_aten_scaled_dot_product_attention_no_mask_onnx</c>).
/// </summary>
sealed class ToyAttention
{
    public const int Heads = 4, Width = 32;

    /// <summary>Whether all queries look at the keys of one head.</summary>
    public bool OneKeyHead { get; init; }
    /// <summary>The axis of the softmax.</summary>
    public long Axis { get; init; } = -1;
    /// <summary>Whether the softmax's result is an output, too.</summary>
    public bool GivesWeights { get; init; }
    /// <summary>Whether it is computed in half precision.</summary>
    public bool IsHalf { get; init; }
    /// <summary>Whether the values are multiplied with a weight of 32×32 first.</summary>
    public bool HasWeights { get; init; }

    /// <summary>Writes a file of its own in the temporary folder.</summary>
    /// <param name="externalData">The name of a file for the weights; null where they are in the graph.</param>
    public string Write(string? externalData = null)
    {
        var graph = new OnnxGraph();
        string q = Input(graph, "q", Width), k = Input(graph, "k", OneKeyHead ? Width / Heads : Width), v = Input(graph, "v", Width);
        if (HasWeights)
        {
            var random = new Random(1);
            var weights = graph.Floats([.. Enumerable.Range(0, Width * Width).Select(_ => random.NextSingle() - 0.5f)], Width, Width);
            v = graph.Do("MatMul", [v, weights]);
        }
        string queries = Apart(graph, q, Heads), values = Apart(graph, v, Heads);
        var keys = Apart(graph, k, OneKeyHead ? 1 : Heads);
        var root = graph.Floats([MathF.Pow(Width / Heads, -0.25f)]);
        if (IsHalf)
            root = graph.Do("Cast", [root], OnnxGraph.Attribute("to", (long)TensorElementType.Float16));
        var scores = graph.Do("MatMul", [graph.Do("Mul", [queries, root]), graph.Do("Mul", [Transposed(graph, keys), root])]);
        var weightsOfValues = graph.Do("Softmax", [scores], OnnxGraph.Attribute("axis", Axis));
        if (GivesWeights)
            graph.Output("weights", TensorElementType.Float, weightsOfValues, "batch", Heads, "queries", "keys");
        var heads = graph.Do("Transpose", [graph.Do("MatMul", [weightsOfValues, values])], OnnxGraph.Attribute("perm", [0, 2, 1, 3]));
        var result = graph.Do("Reshape", [heads, graph.Longs(0, 0, Width)]);
        graph.Output("result", TensorElementType.Float, result, "batch", "queries", Width);
        var path = Path.Combine(Directory.CreateTempSubdirectory("muse-attention-").FullName, "model.onnx");
        graph.Save(path, externalData);
        return path;
    }

    string Input(OnnxGraph graph, string name, int width)
    {
        var value = graph.Input(name, TensorElementType.Float, "batch", name == "q" ? "queries" : "keys", width);
        return IsHalf ? graph.Do("Cast", [value], OnnxGraph.Attribute("to", (long)TensorElementType.Float16)) : value;
    }

    static string Apart(OnnxGraph graph, string value, int heads)
    {
        var batch = graph.Do("Shape", [value], OnnxGraph.Attribute("start", 0), OnnxGraph.Attribute("end", 1));
        var shape = graph.Do("Concat", [batch, graph.Longs(-1), graph.Longs(heads), graph.Longs(Width / Heads)],
            OnnxGraph.Attribute("axis", 0));
        return graph.Do("Transpose", [graph.Do("Reshape", [value, shape])], OnnxGraph.Attribute("perm", [0, 2, 1, 3]));
    }

    static string Transposed(OnnxGraph graph, string keys)
    {
        var width = graph.Do("Shape", [keys], OnnxGraph.Attribute("start", -1));
        var tokens = graph.Do("Shape", [keys], OnnxGraph.Attribute("start", -2), OnnxGraph.Attribute("end", -1));
        var leading = graph.Do("Shape", [keys], OnnxGraph.Attribute("end", -2));
        var flat = graph.Do("Reshape", [keys, Concat([graph.Longs(-1), tokens, width])]);
        var transposed = graph.Do("Transpose", [flat], OnnxGraph.Attribute("perm", [0, 2, 1]));
        return graph.Do("Reshape", [transposed, Concat([leading, width, tokens])]);

        string Concat(string[] parts) => graph.Do("Concat", parts, OnnxGraph.Attribute("axis", 0));
    }
}
