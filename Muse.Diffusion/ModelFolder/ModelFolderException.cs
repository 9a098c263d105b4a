namespace Muse.Diffusion;

/// <summary>A model folder can't be used. The message names the file and says what is wrong with it.</summary>
/// <param name="file">The file, from the folder's name on.</param>
/// <param name="problem">What is wrong.</param>
/// <param name="inner">The exception that it was seen by; null where there was none.</param>
public sealed class ModelFolderException(string file, string problem, Exception? inner = null) : Exception($"{file}: {problem}", inner)
{
    /// <summary>The file, from the model folder's name on.</summary>
    public string File { get; } = file;
}
