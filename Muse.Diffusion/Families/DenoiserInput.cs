namespace Muse.Diffusion;

/// <summary>One line of a model family's table: an input of the denoiser's graph and where its values come from.</summary>
sealed record DenoiserInput
{
    /// <summary>Writes the values of a request's input.</summary>
    public delegate void RequestWriter(in RowCondition condition, Span<float> values);

    /// <summary>Makes the values and the shape of an input that depends on the step's shape alone.</summary>
    public delegate (float[] Values, long[] Shape) ShapeMaker(LatentShape latent, ConditioningShape conditioning);

    DenoiserInput(string name, InputSource source) => (Name, Source) = (name, source);

    /// <summary>The input's name in the graph.</summary>
    public string Name { get; }

    /// <summary>Where its values come from.</summary>
    public InputSource Source { get; }

    /// <summary>Whether graphs of the family may lack it.</summary>
    public bool IsOptional { get; init; }

    /// <summary>What the timestep is multiplied by.</summary>
    public float Scale { get; private init; } = 1;

    /// <summary>The name of the conditioning's tensor.</summary>
    public string Tensor { get; private init; } = "";

    /// <summary>How many values a row of a request's input has.</summary>
    public int Length { get; private init; }

    /// <summary>Added to the error where the graph's length is another.</summary>
    public string LengthHint { get; init; } = "";

    /// <summary>
    /// Channels behind the latent's: one of the mask, and those of the latent of the masked image (dedicated inpainting models). 0
    /// where the denoiser takes the latent alone.
    /// </summary>
    public int ImageChannels { get; private init; }

    /// <summary>Writes a request's values.</summary>
    public RequestWriter? Write { get; private init; }

    /// <summary>Makes the values that depend on the step's shape.</summary>
    public ShapeMaker? Make { get; private init; }

    /// <summary>The latent; its shape is the <see cref="LatentCodec"/>'s.</summary>
    /// <param name="name">The input's name in the graph.</param>
    /// <param name="imageChannels">Channels behind the latent's, for the mask and the latent of the masked image.</param>
    public static DenoiserInput Latent(string name, int imageChannels = 0) =>
        new(name, InputSource.Latent) { ImageChannels = imageChannels };

    /// <summary>The timestep: one for each row, or one for all where the graph takes no more.</summary>
    public static DenoiserInput Timestep(string name, float scale = 1) => new(name, InputSource.Timestep) { Scale = scale };

    /// <summary>The conditioning's tensor of the same name.</summary>
    public static DenoiserInput Conditioning(string name) => new(name, InputSource.Conditioning) { Tensor = name };

    /// <summary>Values computed from the request, [rows, length].</summary>
    public static DenoiserInput Request(string name, int length, RequestWriter write) =>
        new(name, InputSource.Request) { Length = length, Write = write };

    /// <summary>Values computed from the step's shape.</summary>
    public static DenoiserInput ByShape(string name, ShapeMaker make) => new(name, InputSource.Shape) { Make = make };
}
