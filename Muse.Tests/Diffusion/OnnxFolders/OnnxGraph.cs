using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Tests.Diffusion.OnnxFolders;

/// <summary>An ONNX graph under construction.</summary>
sealed class OnnxGraph
{
    const int Opset = 17, IrVersion = 8;

    readonly List<(string Name, byte[] Raw, long[] Dimensions, TensorElementType Type)> weights = [];
    readonly List<Protobuf> inputs = [], outputs = [];
    readonly List<Protobuf> operations = [];
    int names;

    /// <summary>Adds an input; a dimension is a number or a name.</summary>
    public string Input(string name, TensorElementType type, params object[] shape)
    {
        inputs.Add(Port(name, type, shape));
        return name;
    }

    /// <summary>Adds an output, cast to its type.</summary>
    public void Output(string name, TensorElementType type, string value, params object[] shape)
    {
        operations.Add(Node("Cast", [value], name, Attribute("to", (long)type)));
        outputs.Add(Port(name, type, shape));
    }

    public string Do(string operation, string[] values, params Protobuf[] attributes)
    {
        var result = $"v{names++}";
        operations.Add(Node(operation, values, result, attributes));
        return result;
    }

    public string Floats(float[] values, params long[] dimensions) =>
        Weight(MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), TensorElementType.Float, dimensions);

    public string Longs(params long[] values) =>
        Weight(MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), TensorElementType.Int64, [values.Length]);

    public string ToFloat(string value) => Do("Cast", [value], Attribute("to", (long)TensorElementType.Float));

    public static Protobuf Attribute(string name, long value) => new Protobuf().Text(1, name).Int(3, value).Int(20, 2);

    public static Protobuf Attribute(string name, long[] values)
    {
        var attribute = new Protobuf().Text(1, name).Int(20, 7);
        foreach (var value in values)
            attribute.Int(8, value);
        return attribute;
    }

    /// <summary>Writes the file, with its weights beside it where a name for that file is given.</summary>
    public void Save(string path, string? externalData = null)
    {
        var graph = new Protobuf();
        foreach (var node in operations)
            graph.Message(1, node);
        graph.Text(2, "graph");
        using (var external = externalData is null ? null : File.Create(Path.Combine(Path.GetDirectoryName(path)!, externalData)))
        {
            foreach (var weight in weights)
                graph.Message(5, Tensor(weight, external, externalData));
        }
        foreach (var input in inputs)
            graph.Message(11, input);
        foreach (var output in outputs)
            graph.Message(12, output);
        var model = new Protobuf().Int(1, IrVersion).Text(2, "muse-tests").Message(7, graph)
            .Message(8, new Protobuf().Text(1, "").Int(2, Opset));
        File.WriteAllBytes(path, model.ToArray());
    }

    string Weight(byte[] raw, TensorElementType type, long[] dimensions)
    {
        var name = $"w{weights.Count}";
        weights.Add((name, raw, dimensions, type));
        return name;
    }

    static Protobuf Tensor((string Name, byte[] Raw, long[] Dimensions, TensorElementType Type) weight, Stream? external, string? location)
    {
        var tensor = new Protobuf();
        foreach (var dimension in weight.Dimensions)
            tensor.Int(1, dimension);
        tensor.Int(2, (long)weight.Type).Text(8, weight.Name);
        // ONNX Runtime reads the shapes that some operations take from the file itself alone.
        if (external is null || weight.Type == TensorElementType.Int64)
            return tensor.Bytes(9, weight.Raw);
        tensor.Message(13, new Protobuf().Text(1, "location").Text(2, location!));
        tensor.Message(13, new Protobuf().Text(1, "offset").Text(2, $"{external.Position}"));
        tensor.Message(13, new Protobuf().Text(1, "length").Text(2, $"{weight.Raw.Length}"));
        external.Write(weight.Raw);
        return tensor.Int(14, 1);
    }

    static Protobuf Node(string operation, string[] values, string result, params Protobuf[] attributes)
    {
        var node = new Protobuf();
        foreach (var value in values)
            node.Text(1, value);
        node.Text(2, result).Text(4, operation);
        foreach (var attribute in attributes)
            node.Message(5, attribute);
        return node;
    }

    static Protobuf Port(string name, TensorElementType type, object[] shape)
    {
        var dimensions = new Protobuf();
        foreach (var dimension in shape)
        {
            dimensions.Message(1, dimension is string text ? new Protobuf().Text(2, text) : new Protobuf()
                .Int(1, Convert.ToInt64(dimension)));
        }

        return new Protobuf().Text(1, name).Message(2, new Protobuf().Message(1, new Protobuf().Int(1, (long)type).Message(2, dimensions)));
    }
}
