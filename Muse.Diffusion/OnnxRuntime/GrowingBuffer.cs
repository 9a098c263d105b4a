using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>
/// A <see cref="HostBuffer"/> that is replaced by a larger one when more must fit, and single-precision values to work on where its own
/// type is another.
/// </summary>
sealed class GrowingBuffer(TensorElementType type, HostMemory memory) : IDisposable
{
    HostBuffer? buffer;
    float[] singles = [];

    public TensorElementType Type => type;

    public bool Fits(int length) => buffer is not null && buffer.Capacity >= length;

    /// <summary>Makes room; views made before are to be disposed first, and what was written is lost.</summary>
    public void Reserve(int length)
    {
        if (Fits(length))
            return;
        buffer?.Dispose();
        buffer = null;
        buffer = new HostBuffer(type, Math.Max(1, length), memory);
        singles = buffer.IsSingle ? [] : new float[length];
    }

    /// <summary>Values to work on: the memory itself, or a copy that <see cref="Push"/> and <see cref="Pull"/> convert.</summary>
    public Span<float> Values(int start, int length) => buffer!.IsSingle ? buffer.Singles(start, length) : singles.AsSpan(start, length);

    /// <summary>Converts the first values into the graph's type.</summary>
    public void Push(int length)
    {
        if (!buffer!.IsSingle)
            buffer.Write(0, singles.AsSpan(0, length));
    }

    /// <summary>Converts the first values from the graph's type.</summary>
    public void Pull(int length)
    {
        if (!buffer!.IsSingle)
            buffer.Read(0, singles.AsSpan(0, length));
    }

    public void Write(int start, ReadOnlySpan<float> values) => buffer!.Write(start, values);

    public OrtValue View(params long[] shape) => buffer!.View(shape);

    public void Dispose() => buffer?.Dispose();
}
