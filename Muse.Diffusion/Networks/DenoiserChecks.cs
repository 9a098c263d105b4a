using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>Refuses denoiser graphs that Muse can't feed.</summary>
static class DenoiserChecks
{
    static readonly TensorElementType[] Real = [TensorElementType.Float, TensorElementType.Float16];
    static readonly TensorElementType[] Number =
        [TensorElementType.Int64, TensorElementType.Int32, TensorElementType.Float, TensorElementType.Float16, TensorElementType.Double];

    public static void CheckInputs(Graph graph, IReadOnlyList<(DenoiserInput Input, GraphPort Port)> inputs)
    {
        foreach (var (input, port) in inputs)
        {
            switch (input.Source)
            {
                case InputSource.Latent:
                    graph.Check(port, "input", [3, 4], Real);
                    if (port.Dimensions[0] is { } batch)
                    {
                        throw graph.Refused(
                            $"input '{port.Name}' has a fixed batch of {batch}; Muse needs it to vary: export the model with dynamic "
                            + $"axes.");
                    }

                    break;
                case InputSource.Timestep:
                    // A fraction of the timestep is no whole number.
                    graph.Check(port, "input", [0, 1], input.Scale < 1 ? [.. Real, TensorElementType.Double] : Number);
                    if (port.Dimensions is [{ } steps and not 1])
                        throw graph.Refused($"input '{port.Name}' has a fixed length of {steps}; it must be 1, or vary.");
                    break;
                case InputSource.Conditioning:
                    graph.Check(port, "input", [2, 3], Real);
                    break;
                case InputSource.Request:
                    graph.Check(port, "input", [1, 2], Real);
                    CheckLength(graph, input, port);
                    break;
                default:
                    graph.Check(port, "input", [1, 2, 3, 4], Number);
                    break;
            }
        }
    }

    public static void CheckOutput(Graph graph, GraphPort latent, GraphPort output, LatentCodec latents, int imageChannels)
    {
        graph.Check(latent, "input", latents.PatchSize == 1 ? [4] : [3], Real);
        graph.Check(output, "output", [latent.Dimensions.Length], Real);
        if (latents.PatchSize > 1 && latent.Dimensions[1] is { } tokens)
            throw graph.Refused($"input '{latent.Name}' has {tokens} tokens alone; they must vary with the size of the image.");
        var channels = latents.PatchSize == 1 ? 1 : 2;
        if (latent.Dimensions[channels] is { } takes && output.Dimensions[channels] is { } gives && takes != gives + imageChannels)
        {
            var reason = imageChannels > 0
                ? $"unet/config.json says that {imageChannels} are for a mask and a masked image"
                : takes == 2 * gives + 1
                ? "unet/config.json is to say it as 'in_channels', as that of inpainting models does"
                : takes > gives
                ? "models that take an image beside the latent (upscaling, editing) are not supported"
                : "they must be equal";
            throw graph.Refused($"input '{latent.Name}' has {takes} channels and output '{output.Name}' {gives}; {reason}.");
        }
    }

    public static void CheckTensor(Graph graph, GraphPort port, ConditioningTensor tensor)
    {
        if (port.Dimensions.Length != tensor.Shape.Length + 1)
            throw graph.Refused($"input '{port.Name}' has {port.Dimensions.Length} dimensions; it must have {tensor.Shape.Length + 1}.");
        if (port.Dimensions[^1] is { } wide && wide != tensor.Shape[^1])
            throw graph.Refused($"input '{port.Name}' is {wide} wide, but the text encoders give {tensor.Shape[^1]}.");
        if (tensor.Shape.Length > 1 && port.Dimensions[1] is { } tokens && tokens != tensor.Shape[0])
            throw graph.Refused($"input '{port.Name}' has {tokens} tokens, but the text encoders give {tensor.Shape[0]}.");
    }

    static void CheckLength(Graph graph, DenoiserInput input, GraphPort port)
    {
        var fixedLength = port.Dimensions.Length == 1 ? 1 : port.Dimensions[^1];
        if (fixedLength is not { } length)
        {
            if (input.Length == 0)
                throw graph.Refused($"input '{port.Name}' does not say how long it is{input.LengthHint}.");
        }
        else if (input.Length != 0 && length != input.Length)
        {
            throw graph.Refused($"input '{port.Name}' has {length} values a row; it must have {input.Length}{input.LengthHint}.");
        }
    }
}
