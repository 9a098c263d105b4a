using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>
/// Memory outside the managed heap that graphs read and write in place, whatever their number type; never moved, reused for every step.
/// </summary>
sealed unsafe class HostBuffer : IDisposable
{
    static readonly OrtMemoryInfo Host = OrtMemoryInfo.DefaultInstance;

    readonly HostMemory memory;
    readonly int size;
    void* pointer;

    /// <param name="type">The graph's number type.</param>
    /// <param name="capacity">How many values.</param>
    /// <param name="memory">Where it is taken from.</param>
    public HostBuffer(TensorElementType type, int capacity, HostMemory memory)
    {
        (Type, Capacity, this.memory) = (type, capacity, memory);
        size = SizeOf(type);
        pointer = memory.Allocate((nuint)capacity * (nuint)size);
        NativeMemory.Clear(pointer, (nuint)capacity * (nuint)size);
    }

    public TensorElementType Type { get; }

    public int Capacity { get; }

    /// <summary>Whether <see cref="Singles"/> is the memory itself.</summary>
    public bool IsSingle => Type == TensorElementType.Float;

    /// <summary>The values of a single-precision buffer.</summary>
    public Span<float> Singles(int start, int length) => new Span<float>(pointer, Capacity).Slice(start, length);

    /// <summary>Writes values, converted to the buffer's type; whole-number types get the nearest.</summary>
    public void Write(int start, ReadOnlySpan<float> values)
    {
        switch (Type)
        {
            case TensorElementType.Float:
                values.CopyTo(Singles(start, values.Length));
                break;
            case TensorElementType.Float16:
                TensorPrimitives.ConvertToHalf(values, new Span<Half>(pointer, Capacity).Slice(start, values.Length));
                break;
            case TensorElementType.Double:
                TensorPrimitives.ConvertTruncating(values, new Span<double>(pointer, Capacity).Slice(start, values.Length));
                break;
            case TensorElementType.Int32:
                for (var i = 0; i < values.Length; i++)
                    ((int*)pointer)[start + i] = (int)MathF.Round(values[i]);
                break;
            default:
                for (var i = 0; i < values.Length; i++)
                    ((long*)pointer)[start + i] = (long)MathF.Round(values[i]);
                break;
        }
    }

    /// <summary>Reads values, converted from the buffer's type.</summary>
    public void Read(int start, Span<float> values)
    {
        if (Type == TensorElementType.Float)
            Singles(start, values.Length).CopyTo(values);
        else if (Type == TensorElementType.Float16)
            TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>(pointer, Capacity).Slice(start, values.Length), values);
        else
            TensorPrimitives.ConvertTruncating(new ReadOnlySpan<double>(pointer, Capacity).Slice(start, values.Length), values);
    }

    /// <summary>The first values as a tensor over this memory; to be disposed before the buffer.</summary>
    public OrtValue View(params long[] shape)
    {
        long length = 1;
        foreach (var dimension in shape)
            length *= dimension;
        return OrtValue.CreateTensorValueWithData(Host, Type, shape, (nint)pointer, length * size);
    }

    public void Dispose()
    {
        if (pointer is null)
            return;
        memory.Free(pointer);
        pointer = null;
    }

    static int SizeOf(TensorElementType type) => type switch
    {
        TensorElementType.Float or TensorElementType.Int32 => 4,
        TensorElementType.Float16 => 2,
        _ => 8,
    };
}
