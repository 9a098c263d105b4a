namespace Muse.Diffusion;

/// <summary>The device has too little memory for the call; fewer rows may fit.</summary>
/// <param name="message">What did not fit.</param>
/// <param name="inner">What ONNX Runtime threw; null where nothing did.</param>
public sealed class DeviceMemoryException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>How many rows ran, padding included; null where no rows ran or the number is that of the call.</summary>
    public int? RowsRun { get; init; }
}
