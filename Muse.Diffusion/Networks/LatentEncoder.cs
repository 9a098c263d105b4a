using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>The encoder of a model's autoencoder: images to latents.</summary>
/// <remarks>
/// Exports give <c>latent_parameters</c>, the mean and the log-variance of a normal distribution, of which a sample is drawn here; or
/// <c>latent_sample</c>, which is one sample already, or the mean.
/// </remarks>
sealed class LatentEncoder : IDisposable
{
    const string Parameters = "latent_parameters", Sample = "latent_sample";
    const float MinLogVariance = -30, MaxLogVariance = 20;
    // What the encoder sees is compared with itself at this size, pixels.
    const int ProbeSize = 64;

    /// <summary>Pixels with this mask value or a higher one are grey for the encoder.</summary>
    public const byte MaskThreshold = 128;

    readonly Graph graph;
    readonly LatentCodec latents;
    readonly GraphPort input;
    readonly GraphPort output;
    readonly RunOptions run = new();

    /// <param name="graph">The graph.</param>
    /// <param name="latents">The model's latents.</param>
    /// <param name="channels">Channels of the latent.</param>
    /// <exception cref="ModelFolderException">Muse can't feed the graph, or its latents are not the denoiser's.</exception>
    public LatentEncoder(Graph graph, LatentCodec latents, int channels)
    {
        (this.graph, this.latents) = (graph, latents);
        graph.AllowInputs("sample");
        input = graph.RequiredInput("sample");
        graph.Check(input, "input", [4], TensorElementType.Float, TensorElementType.Float16);
        if (input.Dimensions[0] is { } batch and not 1)
            throw graph.Refused($"input 'sample' has a fixed batch of {batch}; it must be 1 or vary.");
        if (input.Dimensions[1] is { } colours and not 3)
            throw graph.Refused($"input 'sample' has {colours} colours; it must have 3.");
        output = graph.Outputs.FirstOrDefault(port => port.Name == Parameters) ?? graph.Output(Sample);
        graph.Check(output, "output", [4], TensorElementType.Float, TensorElementType.Float16);
        var expected = GivesParameters ? 2 * channels : channels;
        if (output.Dimensions[1] is { } gives && gives != expected)
            throw graph.Refused($"output '{output.Name}' has {gives} channels; for latents of {channels} it must have {expected}.");
    }

    bool GivesParameters => output.Name == Parameters;

    /// <summary>Whether the graph draws noise of its own: the same image comes out differently each time.</summary>
    public bool DrawsOwnNoise()
    {
        if (GivesParameters)
            return false;
        int height = input.Dimensions[2] ?? ProbeSize, width = input.Dimensions[3] ?? ProbeSize;
        var planes = new float[3 * height * width];
        return !Run(planes, width, height).AsSpan().SequenceEqual(Run(planes, width, height));
    }

    /// <summary>Encodes an image.</summary>
    /// <param name="shape">The latent's shape.</param>
    /// <param name="image">The image.</param>
    /// <param name="mask">One byte for each pixel; from <see cref="MaskThreshold"/> on it is grey. Empty for no mask.</param>
    /// <param name="noise">Where the sample's noise comes from.</param>
    /// <returns>The latent as the sampler keeps it.</returns>
    public float[] Encode(LatentShape shape, RgbImage image, ReadOnlySpan<byte> mask, INoiseSource noise)
    {
        if (input.Dimensions[2] is { } high && high != image.Height || input.Dimensions[3] is { } wide && wide != image.Width)
        {
            throw graph.Refused($"takes images of {input.Dimensions[3]}x{input.Dimensions[2]} alone; "
                + $"this one is {image.Width}x{image.Height}.");
        }
        var values = Run(Planes(image, mask), image.Width, image.Height);
        if (values.Length != (GivesParameters ? 2 : 1) * shape.Length)
        {
            throw graph.Refused($"gives {values.Length} values for an image of {image.Width}x{image.Height}; for a latent of "
                + $"{shape.Channels}×{shape.Height}×{shape.Width} there should be {(GivesParameters ? 2 : 1) * shape.Length}.");
        }
        var latent = GivesParameters ? SampleGaussian(values, mask.IsEmpty ? -2 : -3, noise) : values;
        if (!TensorPrimitives.IsFiniteAll<float>(latent))
            throw graph.Refused("gives values that are not numbers: it overflows, as some encoders do in half precision.");
        latents.FromEncoder(shape, latent);
        return latent;
    }

    public void Dispose() => run.Dispose();

    // From interleaved bytes to planes of -1 to 1.
    static float[] Planes(RgbImage image, ReadOnlySpan<byte> mask)
    {
        var count = image.Width * image.Height;
        var planes = new float[3 * count];
        for (var i = 0; i < count; i++)
        {
            if (!mask.IsEmpty && mask[i] >= MaskThreshold)
                continue;
            for (var c = 0; c < 3; c++)
                planes[c * count + i] = image.Pixels[3 * i + c] / 127.5f - 1;
        }
        return planes;
    }

    // A sample of the encoder's distribution: mean + exp(½ · log variance) · ε.
    static float[] SampleGaussian(float[] parameters, int draw, INoiseSource noise)
    {
        var length = parameters.Length / 2;
        var mean = parameters.AsSpan(0, length);
        var deviation = parameters.AsSpan(length);
        TensorPrimitives.Clamp(deviation, MinLogVariance, MaxLogVariance, deviation);
        TensorPrimitives.Multiply(deviation, 0.5f, deviation);
        for (var i = 0; i < length; i++)
            deviation[i] = MathF.Exp(deviation[i]);
        var latent = new float[length];
        noise.Fill(draw, latent);
        TensorPrimitives.MultiplyAdd(latent, deviation, mean, latent);
        return latent;
    }

    float[] Run(float[] planes, int width, int height)
    {
        try
        {
            using var tensor = TensorConversions.ToTensor(input.Type, planes, 1, 3, height, width);
            using var results = graph.Session.Run(run, [input.Name], [tensor], [output.Name]);
            return TensorConversions.ToSingles(results[0]);
        }
        catch (OnnxRuntimeException e) when (Graph.IsOutOfMemory(e))
        {
            throw new DeviceMemoryException($"Encoding an image of {width}x{height} needs more memory than there is.", e);
        }
    }
}
