using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>A text encoder: ids of one chunk to an embedding for each token.</summary>
sealed class TextEncoder : IDisposable
{
    const string LayerPrefix = "hidden_states.";

    readonly Graph graph;
    readonly GraphPort ids;
    readonly string[] outputs;
    readonly RunOptions run = new();

    /// <param name="graph">The graph.</param>
    /// <param name="contextLength">How many ids its tokenizer gives.</param>
    /// <param name="layer">Which layer's states are taken.</param>
    /// <param name="pooled">The name of the output with the pooled embedding; null where it is not taken.</param>
    public TextEncoder(Graph graph, int contextLength, ClipLayer layer, string? pooled)
    {
        this.graph = graph;
        graph.AllowInputs("input_ids");
        ids = graph.RequiredInput("input_ids");
        graph.Check(ids, "input", [2], TensorElementType.Int32, TensorElementType.Int64);
        if (ids.Dimensions[0] is { } batch and not 1)
            throw graph.Refused($"input 'input_ids' has a fixed batch of {batch}; it must be 1 or vary.");
        if (ids.Dimensions[1] is { } length && length != contextLength)
            throw graph.Refused($"input 'input_ids' takes {length} ids, but the tokenizer gives {contextLength}.");
        var hidden = layer == ClipLayer.Last ? Last() : NextToLast();
        graph.Check(hidden, "output", [3], TensorElementType.Float, TensorElementType.Float16);
        outputs = pooled is null ? [hidden.Name] : [hidden.Name, Pooled(pooled).Name];
    }

    /// <summary>Encodes one chunk.</summary>
    /// <returns>Tokens × width, and the pooled embedding where it was requested.</returns>
    public (float[] Hidden, float[]? Pooled) Encode(int[] chunk)
    {
        long[] shape = [1, chunk.Length];
        using var input = ids.Type == TensorElementType.Int64
            ? OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(chunk, id => (long)id), shape)
            : OrtValue.CreateTensorValueFromMemory(chunk, shape);
        using var results = graph.Session.Run(run, [ids.Name], [input], outputs);
        return (TensorConversions.ToSingles(results[0]), results.Count > 1 ? TensorConversions.ToSingles(results[1]) : null);
    }

    public void Dispose() => run.Dispose();

    GraphPort Last() =>
        graph.Outputs.FirstOrDefault(o => o.Name == "last_hidden_state")
        ?? graph.Outputs.FirstOrDefault(o => o.Dimensions.Length == 3)
        ?? throw graph.Refused($"has no output 'last_hidden_state'; it has {Graph.Names(graph.Outputs)}.");

    GraphPort NextToLast()
    {
        var layers = graph.Outputs
            .Where(o => o.Name.StartsWith(LayerPrefix, StringComparison.Ordinal) && int.TryParse(o.Name[LayerPrefix.Length..], out _))
            .OrderBy(o => int.Parse(o.Name[LayerPrefix.Length..]))
            .ToList();
        return layers.Count >= 2
            ? layers[^2]
            : throw graph.Refused(
                $"has no outputs 'hidden_states.0', 'hidden_states.1', …, of which a model with two text encoders needs the "
                + $"next-to-last; it has {Graph.Names(graph.Outputs)}.");
    }

    GraphPort Pooled(string name) =>
        graph.Outputs.FirstOrDefault(o => o.Name == name)
        ?? throw graph.Refused($"has no output '{name}'; it has {Graph.Names(graph.Outputs)}.");
}
