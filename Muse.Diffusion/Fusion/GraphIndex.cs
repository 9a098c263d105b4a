using Muse.Diffusion.Onnx;

namespace Muse.Diffusion;

/// <summary>Who makes and who takes each value of a graph, and changes to its operations.</summary>
sealed class GraphIndex
{
    readonly GraphProto graph;
    readonly Dictionary<string, NodeProto> producers = [];
    readonly Dictionary<string, List<NodeProto>> consumers = [];
    readonly HashSet<string> outputs;
    readonly HashSet<string> integers = [];
    readonly Dictionary<NodeProto, List<NodeProto>> replacements = new(ReferenceEqualityComparer.Instance);

    public GraphIndex(GraphProto graph)
    {
        this.graph = graph;
        outputs = [.. graph.Output.Select(output => output.Name)];
        foreach (var node in graph.Node)
        {
            foreach (var value in node.Output)
                producers[value] = node;
            foreach (var value in InputsOf(node))
            {
                if (!consumers.TryGetValue(value, out var list))
                    consumers[value] = list = [];
                list.Add(node);
            }
        }
    }

    public IEnumerable<NodeProto> Nodes => graph.Node;

    /// <summary>The operation that makes a value; null for inputs and weights.</summary>
    public NodeProto? Producer(string value) => producers.GetValueOrDefault(value);

    /// <summary>The operation that makes a value, if it is of this kind.</summary>
    public NodeProto? Producer(string value, string operation) =>
        Producer(value) is { } node && node.OpType == operation && node.Domain is "" or "ai.onnx" ? node : null;

    /// <summary>Whether a value is neither an input of the graph nor a constant.</summary>
    public bool IsComputed(string value) => Producer(value) is { OpType: not "Constant" };

    /// <summary>The only operation that takes a value; null where there are several or none, or it is an output of the graph.</summary>
    public NodeProto? OnlyConsumer(string value) => Consumers(value) is [var node] ? node : null;

    /// <summary>The operations that take a value; null where it is an output of the graph.</summary>
    public IReadOnlyList<NodeProto>? Consumers(string value) =>
        outputs.Contains(value) ? null : consumers.GetValueOrDefault(value) ?? [];

    /// <summary>Puts operations in the place of one, whose result the last of them makes.</summary>
    public void Replace(NodeProto node, IEnumerable<NodeProto> by) => replacements[node] = [.. by];

    /// <summary>A weight of whole numbers, as shapes are; one for each name.</summary>
    public string Integers(string name, params ReadOnlySpan<long> values)
    {
        const int int64 = 7;
        if (integers.Add(name))
        {
            var data = values.ToArray();
            graph.Initializer.Add(new TensorProto { Name = name, DataType = int64, Dims = { data.Length }, Int64Data = { data } });
        }
        return name;
    }

    /// <summary>Writes the replacements into the graph and takes out what no output needs any more.</summary>
    public void Apply()
    {
        List<NodeProto> nodes = [.. graph.Node.SelectMany(node => replacements.TryGetValue(node, out var by) ? by : [node])];
        var needed = outputs.ToHashSet();
        for (var i = nodes.Count - 1; i >= 0; i--)
        {
            if (nodes[i].Output.Any(needed.Contains))
                needed.UnionWith(InputsOf(nodes[i]));
            else
                nodes.RemoveAt(i);
        }
        graph.Node.Clear();
        graph.Node.Add(nodes);
    }

    // Also what operations of inner graphs take, such as those of If and Loop.
    static IEnumerable<string> InputsOf(NodeProto node) => node.Input.Where(value => value != "").Concat(node.Attribute
        .SelectMany(attribute => attribute.G is { } inner ? attribute.Graphs.Append(inner) : attribute.Graphs)
        .SelectMany(inner => inner.Node.SelectMany(InputsOf).Concat(inner.Output.Select(output => output.Name))));
}
