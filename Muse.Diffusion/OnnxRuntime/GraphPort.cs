using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>An input or output of a graph.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its number type.</param>
/// <param name="Dimensions">Its dimensions; null for those that may vary.</param>
sealed record GraphPort(string Name, TensorElementType Type, int?[] Dimensions)
{
    public static GraphPort Of(KeyValuePair<string, NodeMetadata> node) => node.Value.IsTensor
        ? new(node.Key, node.Value.ElementDataType, [.. node.Value.Dimensions.Select(d => d < 0 ? (int?)null : d)])
        : new(node.Key, TensorElementType.DataTypeMax, []);
}
