using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>Tensors to and from arrays of single precision.</summary>
static class TensorConversions
{
    /// <summary>The values of a tensor of single or half precision.</summary>
    public static float[] ToSingles(OrtValue tensor)
    {
        var shape = tensor.GetTensorTypeAndShape();
        if (shape.ElementDataType == TensorElementType.Float)
            return tensor.GetTensorDataAsSpan<float>().ToArray();
        var halves = MemoryMarshal.Cast<Float16, Half>(tensor.GetTensorDataAsSpan<Float16>());
        var values = new float[halves.Length];
        TensorPrimitives.ConvertToSingle(halves, values);
        return values;
    }

    /// <summary>A tensor with these values, converted to a graph's number type.</summary>
    public static OrtValue ToTensor(TensorElementType type, float[] values, params long[] shape)
    {
        switch (type)
        {
            case TensorElementType.Float:
                return OrtValue.CreateTensorValueFromMemory(values, shape);
            case TensorElementType.Float16:
                var halves = new Float16[values.Length];
                TensorPrimitives.ConvertToHalf(values, MemoryMarshal.Cast<Float16, Half>(halves.AsSpan()));
                return OrtValue.CreateTensorValueFromMemory(halves, shape);
            case TensorElementType.Double:
                return OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(values, v => (double)v), shape);
            case TensorElementType.Int32:
                return OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(values, v => (int)MathF.Round(v)), shape);
            case TensorElementType.Int64:
                return OrtValue.CreateTensorValueFromMemory(Array.ConvertAll(values, v => (long)MathF.Round(v)), shape);
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "There are no conversions to this number type.");
        }
    }
}
