using System.Runtime.InteropServices;
using Google.Protobuf.Collections;
using Muse.Diffusion.Onnx;

namespace Muse.Diffusion;

/// <summary>
/// What can be known of a graph's values without running it: their dimensions, and the numbers in small ones. Exporters compute shapes by
/// operations, so that the number of heads or the scale of an attention is found by following these.
/// </summary>
sealed class StaticShapes
{
    // Shapes and scales are small.
    const int MostNumbers = 64;
    const int Float = 1, Int32 = 6, Int64 = 7, Bool = 9, Half = OnnxFile.Float16, Double = 11;

    /// <param name="Dimensions">Null for those that vary; null where not even their number is known.</param>
    /// <param name="Numbers">The numbers of a small value; null for those that vary.</param>
    /// <param name="IsInteger">Whether the numbers are whole, so that a division has no rest.</param>
    sealed record Known(long?[]? Dimensions, double?[]? Numbers = null, bool IsInteger = false)
    {
        public static readonly Known Nothing = new(Dimensions: null);
    }

    readonly Dictionary<string, Known> known = [];

    public StaticShapes(GraphProto graph)
    {
        foreach (var port in graph.Input.Concat(graph.ValueInfo))
            known[port.Name] = new Known(DimensionsOf(port));
        foreach (var tensor in graph.Initializer)
            known[tensor.Name] = Of(tensor);
        foreach (var node in graph.Node)
            Follow(node);
    }

    /// <summary>The dimensions; null for those that vary; null where not even their number is known.</summary>
    public long?[]? DimensionsOf(string value) => Of(value).Dimensions;

    /// <summary>The number in a value of one element; null where it is not known or there are several.</summary>
    public double? NumberOf(string value) => Of(value) is { Numbers: [var number], Dimensions.Length: <= 1 } ? number : null;

    /// <summary>Whether all numbers of a small value are known to be this one.</summary>
    public bool IsAll(string value, double number) =>
        Of(value).Numbers is { Length: > 0 } numbers && numbers.All(known => known == number);

    Known Of(string value) => known.GetValueOrDefault(value, Known.Nothing);

    void Follow(NodeProto node)
    {
        var results = node.Domain is "" or "ai.onnx" ? Results(node) : [];
        for (var i = 0; i < node.Output.Count; i++)
        {
            var found = i < results.Length ? results[i] : Known.Nothing;
            // Some exporters write what they know themselves.
            var written = Of(node.Output[i]).Dimensions;
            known[node.Output[i]] = written is null || found.Dimensions is { } own && own.Length != written.Length ? found
                : found with { Dimensions = [.. written.Select((dimension, axis) => found.Dimensions?[axis] ?? dimension)] };
        }
    }

    Known[] Results(NodeProto node)
    {
        var inputs = node.Input.Select(Of).ToArray();
        var first = inputs.Length > 0 ? inputs[0] : Known.Nothing;
        return node.OpType switch
        {
            "Constant" => [Constant(node)],
            "ConstantOfShape" => [Filled(first, node.Attribute.FirstOrDefault(a => a.Name == "value")?.T)],
            "Shape" => [ShapeOf(first, node)],
            "Gather" when inputs.Length > 1 => [Gathered(first, inputs[1], Int(node, "axis") ?? 0)],
            "Slice" when inputs.Length > 2 => [Sliced(first, inputs)],
            "Concat" => [Concatenated(inputs, Int(node, "axis") ?? 0)],
            "Unsqueeze" => [Unsqueezed(first, Axes(node, inputs))],
            "Squeeze" => [Squeezed(first, Axes(node, inputs))],
            "Cast" => [CastTo(first, isInteger: Int(node, "to") is Int32 or Int64 or Bool)],
            "Add" or "Sub" or "Mul" or "Div" or "Pow" or "Equal" when inputs.Length > 1 => [Computed(node.OpType, first, inputs[1])],
            "Greater" or "Less" or "And" or "Or" or "Min" or "Max" or "Mod" when inputs.Length > 1 =>
                [new Known(Broadcast(first.Dimensions, inputs[1].Dimensions))],
            "Where" when inputs.Length > 2 => [Chosen(first, inputs[1], inputs[2])],
            "Sqrt" => [Mapped(first, Math.Sqrt)],
            "Neg" => [Mapped(first, number => -number)],
            "Reciprocal" => [Mapped(first, number => 1 / number)],
            "Floor" => [Mapped(first, Math.Floor)],
            "Identity" or "CastLike" or "Dropout" => [first],
            "Transpose" => [Transposed(first, node)],
            "Reshape" when inputs.Length > 1 => [Reshaped(first, inputs[1])],
            "Expand" when inputs.Length > 1 => [new Known(Broadcast(first.Dimensions, ToDimensions(inputs[1])))],
            "Split" => Parts(first, node, inputs),
            "MatMul" when inputs.Length > 1 => [Product(first, inputs[1])],
            "Gemm" when inputs.Length > 1 => [Gemm(first, inputs[1], node)],
            "Conv" when inputs.Length > 1 => [Convolved(first, inputs[1])],
            "ReduceMean" or "ReduceSum" or "ReduceMax" => [Reduced(first, node, inputs)],
            "Softmax" or "Sigmoid" or "Erf" or "Tanh" or "Exp" or "Log" or "Abs" or "Cos" or "Sin" or "Relu" or "Gelu" or "Clip" or "CumSum"
                or "Trilu" or "Not" or "IsNaN" or "Softplus" or "ScatterND" or "LayerNormalization" or "InstanceNormalization"
                or "GroupNormalization" or "RMSNormalization" or "BatchNormalization" => [new Known(first.Dimensions)],
            "Pad" or "Resize" or "Tile" => [new Known(Unknown(first.Dimensions?.Length))],
            "Range" => [new Known([null])],
            "Flatten" => [new Known([null, null])],
            _ => [],
        };
    }

    static long?[]? Unknown(int? rank) => rank is { } count ? new long?[count] : null;

    static long?[]? DimensionsOf(ValueInfoProto port) => port.Type?.TensorType?.Shape?.Dim
        .Select(dimension => dimension.HasDimValue ? dimension.DimValue : (long?)null).ToArray();

    static Known Of(TensorProto tensor)
    {
        var count = tensor.Dims.Aggregate(1L, (product, dimension) => product * dimension);
        var isSmall = count is > 0 and <= MostNumbers && (count == 1 || tensor.Dims.Count <= 1) && tensor.DataLocation == 0;
        var numbers = isSmall ? Numbers(tensor) : null;
        return new Known([.. tensor.Dims.Select(dimension => (long?)dimension)], numbers?.Length == count ? numbers : null,
            tensor.DataType is Int32 or Int64 or Bool);
    }

    static double?[]? Numbers(TensorProto tensor)
    {
        var raw = tensor.RawData.Span;
        return tensor.DataType switch
        {
            Float => raw.IsEmpty ? [.. tensor.FloatData.Select(number => (double?)number)] : Cast<float>(raw),
            Int64 => raw.IsEmpty ? [.. tensor.Int64Data.Select(number => (double?)number)] : Cast<long>(raw),
            Int32 => raw.IsEmpty ? [.. tensor.Int32Data.Select(number => (double?)number)] : Cast<int>(raw),
            Half when !raw.IsEmpty => Cast<Half>(raw),
            Double when !raw.IsEmpty => Cast<double>(raw),
            _ => null,
        };

        static double?[] Cast<T>(ReadOnlySpan<byte> raw) where T : unmanaged, System.Numerics.INumberBase<T>
        {
            var numbers = new List<double?>();
            foreach (var number in MemoryMarshal.Cast<byte, T>(raw))
                numbers.Add(double.CreateChecked(number));
            return [.. numbers];
        }
    }

    static Known Constant(NodeProto node)
    {
        foreach (var attribute in node.Attribute)
        {
            switch (attribute.Name)
            {
                case "value" when attribute.T is { } tensor:
                    return Of(tensor);
                case "value_float":
                    return new Known([], [attribute.F]);
                case "value_int":
                    return new Known([], [attribute.I], IsInteger: true);
                case "value_ints" when attribute.Ints.Count <= MostNumbers:
                    return new Known([attribute.Ints.Count], [.. attribute.Ints.Select(number => (double?)number)], IsInteger: true);
                case "value_floats" when attribute.Floats.Count <= MostNumbers:
                    return new Known([attribute.Floats.Count], [.. attribute.Floats.Select(number => (double?)number)]);
            }
        }
        return Known.Nothing;
    }

    static Known Filled(Known shape, TensorProto? value)
    {
        var dimensions = ToDimensions(shape);
        var number = value is null ? 0 : Of(value).Numbers is [var known] ? known : null;
        return dimensions is [{ } count] && count <= MostNumbers
            ? new Known(dimensions, [.. Enumerable.Repeat(number, (int)count)], value?.DataType is Int32 or Int64 or Bool)
            : new Known(dimensions);
    }

    static Known ShapeOf(Known value, NodeProto node)
    {
        if (value.Dimensions is not { } dimensions)
            return new Known([null]);
        var start = Clamp(Int(node, "start") ?? 0);
        var numbers = dimensions[start..Math.Max(start, Clamp(Int(node, "end") ?? dimensions.Length))].Select(Number).ToArray();
        return new Known([numbers.Length], numbers, IsInteger: true);

        int Clamp(long index) => (int)Math.Clamp(index < 0 ? index + dimensions.Length : index, 0, dimensions.Length);
    }

    static Known Gathered(Known data, Known indices, long axis)
    {
        if (data.Numbers is { } numbers && data.Dimensions?.Length == 1 && indices.Numbers is { } places)
        {
            var taken = places.Select(place => place is { } index && Place(index) is { } i ? numbers[i] : null);
            return new Known(indices.Dimensions, [.. taken], data.IsInteger);
        }
        if (data.Dimensions is not { } dimensions || indices.Dimensions is not { } others)
            return Known.Nothing;
        var at = (int)(axis < 0 ? axis + dimensions.Length : axis);
        return new Known([.. dimensions[..at], .. others, .. dimensions[(at + 1)..]]);

        int? Place(double index) => (int)(index < 0 ? index + numbers.Length : index) is var i && i >= 0 && i < numbers.Length ? i : null;
    }

    static Known Sliced(Known data, Known[] inputs)
    {
        if (data.Dimensions is not { } dimensions)
            return Known.Nothing;
        var result = dimensions.ToArray();
        var (starts, ends) = (inputs[1].Numbers, inputs[2].Numbers);
        var count = starts?.Length ?? ends?.Length;
        var axes = inputs.Length > 3 && inputs[3] != Known.Nothing ? inputs[3].Numbers
            : count is { } all ? [.. Enumerable.Range(0, all).Select(axis => (double?)axis)] : null;
        if (axes is null || axes.Contains(null))
            return new Known(Unknown(dimensions.Length));
        for (var i = 0; i < axes.Length; i++)
        {
            var axis = (int)(axes[i]!.Value < 0 ? axes[i]!.Value + dimensions.Length : axes[i]!.Value);
            var step = inputs.Length > 4 ? inputs[4].Numbers?[i] : 1;
            result[axis] = null;
            if (dimensions[axis] is not { } length || starts?[i] is not { } from || ends?[i] is not { } to || step != 1)
                continue;
            var (first, last) = (Clamp(from), Clamp(to));
            result[axis] = Math.Max(0, last - first);
            if (data.Numbers is { } numbers && dimensions.Length == 1 && axes.Length == 1)
                return new Known(result, numbers[(int)first..(int)Math.Max(first, last)], data.IsInteger);

            long Clamp(double index) => (long)Math.Clamp(index < 0 ? index + length : index, 0, length);
        }
        return new Known(result);
    }

    static Known Concatenated(Known[] inputs, long axis)
    {
        if (inputs.FirstOrDefault(input => input.Dimensions is not null)?.Dimensions is not { } some)
            return Known.Nothing;
        var at = (int)(axis < 0 ? axis + some.Length : axis);
        var count = inputs.All(input => input.Dimensions is [not null]) ? inputs.Sum(input => input.Dimensions![0]) : null;
        if (count <= MostNumbers)
        {
            var numbers = inputs.SelectMany(input => input.Numbers ?? new double?[input.Dimensions![0]!.Value]).ToArray();
            return new Known([count], numbers, inputs.Any(input => input.IsInteger));
        }
        var result = some.ToArray();
        for (var i = 0; i < result.Length; i++)
        {
            var sizes = inputs.Select(input => input.Dimensions is { } own && own.Length == result.Length ? own[i] : null).ToArray();
            result[i] = i != at ? sizes.FirstOrDefault(size => size is not null) : sizes.Contains(null) ? null : sizes.Sum();
        }
        return new Known(result);
    }

    static Known Unsqueezed(Known data, long[]? axes)
    {
        if (data.Dimensions is not { } dimensions || axes is null)
            return Known.Nothing;
        var rank = dimensions.Length + axes.Length;
        var added = axes.Select(axis => axis < 0 ? axis + rank : axis).ToHashSet();
        var rest = new Queue<long?>(dimensions);
        return data with { Dimensions = [.. Enumerable.Range(0, rank).Select(axis => added.Contains(axis) ? 1 : rest.Dequeue())] };
    }

    static Known Squeezed(Known data, long[]? axes)
    {
        if (data.Dimensions is not { } dimensions || axes is null)
            return Known.Nothing;
        var removed = axes.Select(axis => axis < 0 ? axis + dimensions.Length : axis).ToHashSet();
        return data with { Dimensions = [.. dimensions.Where((_, axis) => !removed.Contains(axis))] };
    }

    static Known CastTo(Known data, bool isInteger) =>
        data with { Numbers = isInteger ? Mapped(data, Math.Truncate).Numbers : data.Numbers, IsInteger = isInteger };

    static Known Mapped(Known data, Func<double, double> function) =>
        data with { Numbers = data.Numbers?.Select(number => number is { } given ? function(given) : (double?)null).ToArray() };

    static Known Computed(string operation, Known a, Known b)
    {
        var dimensions = Broadcast(a.Dimensions, b.Dimensions);
        if (a.Numbers is not { } left || b.Numbers is not { } right || left.Length != right.Length && left.Length != 1 && right.Length != 1)
            return new Known(dimensions);
        var isInteger = operation == "Pow" ? a.IsInteger : a.IsInteger && b.IsInteger;
        var numbers = new double?[Math.Max(left.Length, right.Length)];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (left[left.Length == 1 ? 0 : i] is not { } x || right[right.Length == 1 ? 0 : i] is not { } y)
                continue;
            numbers[i] = operation switch
            {
                "Add" => x + y,
                "Sub" => x - y,
                "Mul" => x * y,
                "Div" => isInteger ? Math.Truncate(x / y) : x / y,
                "Pow" => Math.Pow(x, y),
                _ => x == y ? 1 : 0,
            };
        }
        return new Known(dimensions, numbers, isInteger);
    }

    static Known Chosen(Known condition, Known a, Known b)
    {
        var dimensions = Broadcast(condition.Dimensions, Broadcast(a.Dimensions, b.Dimensions));
        if (condition.Numbers is not { } conditions || a.Numbers?.Length != conditions.Length || b.Numbers?.Length != conditions.Length)
            return new Known(dimensions);
        var numbers = conditions.Select((chosen, i) => chosen is null ? null : chosen != 0 ? a.Numbers[i] : b.Numbers[i]);
        return new Known(dimensions, [.. numbers], a.IsInteger);
    }

    static Known Transposed(Known data, NodeProto node)
    {
        if (data.Dimensions is not { } dimensions)
            return Known.Nothing;
        var order = Ints(node, "perm") ?? [.. Enumerable.Range(0, dimensions.Length).Reverse().Select(axis => (long)axis)];
        return order.Count == dimensions.Length ? new Known([.. order.Select(axis => dimensions[axis])]) : Known.Nothing;
    }

    static Known Reshaped(Known data, Known shape)
    {
        if (ToDimensions(shape) is not { } wanted)
            return Known.Nothing;
        var result = wanted.ToArray();
        // What is not copied from the same place must have the same product.
        var before = data.Dimensions?.ToList();
        long? rest = 1;
        int? open = null;
        for (var i = 0; i < wanted.Length; i++)
        {
            switch (wanted[i])
            {
                case 0:
                    result[i] = i < data.Dimensions?.Length ? data.Dimensions[i] : null;
                    if (i < before?.Count)
                        before[i] = 1;
                    break;
                case -1:
                    (result[i], open) = (null, i);
                    break;
                default:
                    rest *= wanted[i];
                    break;
            }
        }
        if (open is { } at && rest > 0 && before is not null && !before.Contains(null))
            result[at] = before.Aggregate(1L, (product, dimension) => product * dimension!.Value) / rest;
        var keepsNumbers = data.Numbers is not null && result.Length <= 1;
        return new Known(result, keepsNumbers ? data.Numbers : null, data.IsInteger);
    }

    static Known[] Parts(Known data, NodeProto node, Known[] inputs)
    {
        if (data.Dimensions is not { } dimensions)
            return [];
        var axis = (int)(Int(node, "axis") ?? 0);
        axis = axis < 0 ? axis + dimensions.Length : axis;
        var sizes = inputs.Length > 1 ? inputs[1].Numbers?.Select(number => (long?)number).ToArray()
            : Ints(node, "split")?.Select(size => (long?)size).ToArray();
        return [.. Enumerable.Range(0, node.Output.Count).Select(part =>
        {
            var result = dimensions.ToArray();
            var areEven = inputs.Length < 2 && dimensions[axis] % node.Output.Count == 0;
            result[axis] = sizes is not null ? sizes.ElementAtOrDefault(part) : areEven ? dimensions[axis] / node.Output.Count : null;
            return new Known(result);
        })];
    }

    static Known Product(Known a, Known b)
    {
        if (a.Dimensions is not [.. var leading, var rows, _] || b.Dimensions is not [.. var other, _, var columns])
            return Known.Nothing;
        return new Known([.. Broadcast(leading, other)!, rows, columns]);
    }

    static Known Gemm(Known a, Known b, NodeProto node) => new(
    [
        a.Dimensions is [var x, var y] ? Int(node, "transA") > 0 ? y : x : null,
        b.Dimensions is [var v, var w] ? Int(node, "transB") > 0 ? v : w : null,
    ]);

    static Known Convolved(Known data, Known weights)
    {
        var result = Unknown(weights.Dimensions?.Length);
        if (result is [_, _, ..])
            (result[0], result[1]) = (data.Dimensions?[0], weights.Dimensions![0]);
        return new Known(result);
    }

    static Known Reduced(Known data, NodeProto node, Known[] inputs)
    {
        if (data.Dimensions is not { } dimensions || Axes(node, inputs) is not { } axes)
            return Known.Nothing;
        var reduced = axes.Select(axis => axis < 0 ? axis + dimensions.Length : axis).ToHashSet();
        return Int(node, "keepdims") == 0
            ? new Known([.. dimensions.Where((_, axis) => !reduced.Contains(axis))])
            : new Known([.. dimensions.Select((dimension, axis) => reduced.Contains(axis) ? 1 : dimension)]);
    }

    static long?[]? Broadcast(long?[]? a, long?[]? b)
    {
        if (a is null || b is null)
            return null;
        var result = new long?[Math.Max(a.Length, b.Length)];
        for (var i = 1; i <= result.Length; i++)
        {
            long? x = i <= a.Length ? a[^i] : 1, y = i <= b.Length ? b[^i] : 1;
            // A dimension that varies may be 1, and so becomes the other, but not if that is 1.
            result[^i] = x == 1 ? y : y == 1 ? x : x ?? y;
        }
        return result;
    }

    static long?[]? ToDimensions(Known shape) =>
        shape.Numbers is { } numbers && shape.Dimensions?.Length == 1 ? [.. numbers.Select(number => (long?)number)]
        : shape.Dimensions is [{ } count] ? new long?[count] : null;

    static double? Number(long? dimension) => dimension;

    static long? Int(NodeProto node, string name) => Attribute(node, name)?.I;

    static RepeatedField<long>? Ints(NodeProto node, string name) => Attribute(node, name)?.Ints;

    static AttributeProto? Attribute(NodeProto node, string name) => node.Attribute.FirstOrDefault(attribute => attribute.Name == name);

    // An attribute up to opset 12, an input from 13 on.
    static long[]? Axes(NodeProto node, Known[] inputs)
    {
        if (Ints(node, "axes") is { } axes)
            return [.. axes];
        var numbers = inputs.Length > 1 ? inputs[1].Numbers : null;
        return numbers is null || numbers.Contains(null) ? null : [.. numbers.Select(number => (long)number!.Value)];
    }
}
