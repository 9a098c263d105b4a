using Microsoft.ML.OnnxRuntime;

namespace Muse.Diffusion;

/// <summary>
/// One input of the denoiser: the line of its family's table, the graph's port, and the buffer with the values of all rows.
/// </summary>
sealed class InputBuffer(DenoiserInput input, GraphPort port, HostMemory memory)
{
    readonly float[] values = new float[input.Source == InputSource.Request ? LengthOf(input, port) : 0];
    int tensor = -1;

    public DenoiserInput Input => input;
    public InputSource Source => input.Source;
    public GraphPort Port => port;
    public GrowingBuffer Buffer { get; } = new(port.Type, memory);

    /// <summary>How many values a row of a request's input has: what the graph fixes, or else what the table says.</summary>
    public static int LengthOf(DenoiserInput input, GraphPort port) =>
        port.Dimensions.Length == 1 ? 1 : port.Dimensions[^1] ?? input.Length;

    /// <summary>The place of its tensor in conditionings; the same for all of a model.</summary>
    public int FindTensor(Conditioning sample)
    {
        for (tensor = 0; tensor < sample.Tensors.Count; tensor++)
        {
            if (sample.Tensors[tensor].Name == input.Tensor)
                return tensor;
        }
        throw new InvalidOperationException($"The conditioning has no tensor '{input.Tensor}'.");
    }

    public bool Fits(int rows, LatentShape latent, ConditioningShape conditioning) =>
        Source == InputSource.Shape || Buffer.Fits(rows * RowLength(latent, conditioning));

    public void Reserve(int rows, LatentShape latent, ConditioningShape conditioning)
    {
        if (Source != InputSource.Shape)
            Buffer.Reserve(rows * RowLength(latent, conditioning));
    }

    /// <summary>Writes a row's values, if they last.</summary>
    public void Write(int row, in RowCondition condition)
    {
        if (Source == InputSource.Conditioning)
        {
            var from = condition.Conditioning.Tensors[tensor].Values;
            Buffer.Write(row * from.Length, from);
        }
        else if (Source == InputSource.Request)
        {
            input.Write!(condition, values);
            Buffer.Write(row * values.Length, values);
        }
    }

    /// <summary>Writes a row's timestep.</summary>
    public void WriteTimestep(int row, float timestep) => Buffer.Write(row, [timestep * input.Scale]);

    /// <summary>
    /// The tensor of so many rows over the buffer. One of an input that depends on the shape alone has a buffer of its own.
    /// </summary>
    public OrtValue View(int rows, LatentShape latent, ConditioningShape conditioning, LatentCodec latents, bool timestepPerRow)
    {
        return Source switch
        {
            InputSource.Latent => Buffer.View(latents.InputShape(latent with { Channels = latent.Channels + input.ImageChannels }, rows)),
            InputSource.Timestep => Buffer.View(port.Dimensions.Length == 0 ? [] : [timestepPerRow ? rows : 1]),
            InputSource.Conditioning => Buffer.View([rows, .. conditioning.Tensors[tensor].Select(dimension => (long)dimension)]),
            InputSource.Request => port.Dimensions.Length == 1 ? Buffer.View(rows) : Buffer.View(rows, values.Length),
            _ => ViewByShape(rows, latent, conditioning),
        };
    }

    OrtValue ViewByShape(int rows, LatentShape latent, ConditioningShape conditioning)
    {
        var (made, shape) = input.Make!(latent, conditioning);
        if (port.Dimensions.Length == shape.Length)
            return TensorConversions.ToTensor(port.Type, made, shape);
        // Some exports have a batch axis, over which the values repeat.
        var repeated = Enumerable.Repeat(made, port.Dimensions[0] ?? rows).SelectMany(values => values).ToArray();
        return TensorConversions.ToTensor(port.Type, repeated, [repeated.Length / made.Length, .. shape]);
    }

    int RowLength(LatentShape latent, ConditioningShape conditioning) => Source switch
    {
        InputSource.Latent => latent.Length + input.ImageChannels * latent.Height * latent.Width,
        InputSource.Timestep => 1,
        InputSource.Conditioning => conditioning.LengthOf(tensor),
        _ => values.Length,
    };
}
