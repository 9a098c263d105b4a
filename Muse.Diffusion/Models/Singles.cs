using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>Tensors of single or half precision to and from arrays of single precision.</summary>
static class Singles
{
    /// <summary>A tensor's values.</summary>
    public static float[] Of(OrtValue tensor)
    {
        var shape = tensor.GetTensorTypeAndShape();
        if (shape.ElementDataType == TensorElementType.Float)
            return tensor.GetTensorDataAsSpan<float>().ToArray();
        var halves = MemoryMarshal.Cast<Float16, Half>(tensor.GetTensorDataAsSpan<Float16>());
        var values = new float[halves.Length];
        TensorPrimitives.ConvertToSingle(halves, values);
        return values;
    }

    /// <summary>A tensor with these values.</summary>
    public static OrtValue Tensor(TensorElementType type, float[] values, params long[] shape)
    {
        if (type == TensorElementType.Float)
            return OrtValue.CreateTensorValueFromMemory(values, shape);
        var halves = new Float16[values.Length];
        TensorPrimitives.ConvertToHalf(values, MemoryMarshal.Cast<Float16, Half>(halves.AsSpan()));
        return OrtValue.CreateTensorValueFromMemory(halves, shape);
    }
}
