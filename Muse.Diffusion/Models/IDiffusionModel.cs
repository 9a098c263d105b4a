namespace Muse.Diffusion;

/// <summary>A text-to-image latent-diffusion model, as the engine sees it: a folder run by ONNX Runtime, or a simulated device.</summary>
public interface IDiffusionModel : IDisposable
{
    /// <summary>What it can do.</summary>
    ModelTraits Traits { get; }

    // Encode, Denoise, Decode: the engine's to define.
}

/// <summary>What a model can do, read from its folder.</summary>
public sealed record ModelTraits
{
    /// <summary>The folder's name.</summary>
    public required string Name { get; init; }
    /// <summary>The device it runs on, as a person would name it; a simulated one says so.</summary>
    public required string Device { get; init; }
    /// <summary>Smallest width and height, pixels.</summary>
    public required int MinSize { get; init; }
    /// <summary>Largest width and height, pixels.</summary>
    public required int MaxSize { get; init; }
    /// <summary>Width and height are multiples of this, pixels.</summary>
    public required int SizeMultiple { get; init; }
    /// <summary>Width where none is asked for, pixels.</summary>
    public required int DefaultWidth { get; init; }
    /// <summary>Height where none is asked for, pixels.</summary>
    public required int DefaultHeight { get; init; }
    /// <summary>Steps where none are asked for.</summary>
    public required int DefaultSteps { get; init; }
    /// <summary>Most steps.</summary>
    public int MaxSteps { get; init; } = 150;
    /// <summary>Guidance scale where none is asked for.</summary>
    public required float DefaultGuidanceScale { get; init; }
    /// <summary>The samplers' names; the first is the folder's own.</summary>
    public required IReadOnlyList<string> Samplers { get; init; }
    /// <summary>Whether pictures pass a safety checker.</summary>
    public bool SafetyChecker { get; init; }

    /// <summary>What is wrong with a request for this model: the field and a sentence with what is allowed. Null when nothing is.</summary>
    public (string Field, string Message)? Check(GenerationRequest request) => throw new NotImplementedException();
}
