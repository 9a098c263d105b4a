using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>The engine's log messages.</summary>
static partial class EngineLog
{
    [LoggerMessage(1, LogLevel.Information,
        "Warmed up {Model} on {Device} at {Width}x{Height}: up to {Rows} rows, in {Milliseconds:F0} ms")]
    public static partial void WarmedUp(ILogger logger, string model, string device, int width, int height, int rows, double milliseconds);

    [LoggerMessage(2, LogLevel.Warning, "Checkpoint of {RequestId} is not used: {Reason}; the request starts over")]
    public static partial void CheckpointRefused(ILogger logger, string requestId, string reason);

    [LoggerMessage(3, LogLevel.Warning,
        "{Rows} rows of {Width}x{Height} did not fit into the device's memory; from now on at most {Limit}")]
    public static partial void RowsHalved(ILogger logger, int rows, int width, int height, int limit);

    [LoggerMessage(4, LogLevel.Warning,
        "{Count} images did not fit into the device's memory to be decoded together; from now on at most {Limit}")]
    public static partial void DecodeHalved(ILogger logger, int count, int limit);

    [LoggerMessage(5, LogLevel.Error, "Request {RequestId} failed")]
    public static partial void Failed(ILogger logger, string requestId, Exception exception);

    [LoggerMessage(6, LogLevel.Error, "A step with {Count} requests failed; each is now run by itself")]
    public static partial void StepFailed(ILogger logger, int count, Exception exception);

    [LoggerMessage(7, LogLevel.Critical, "The engine's thread '{Thread}' ended with an exception")]
    public static partial void ThreadFailed(ILogger logger, string thread, Exception exception);

    [LoggerMessage(8, LogLevel.Information,
        "The denoiser of {Model} does not take one timestep for each row: requests run in groups of equal timestep")]
    public static partial void EqualTimesteps(ILogger logger, string model);

    [LoggerMessage(9, LogLevel.Information, "{Provider}: {Reason}")]
    public static partial void ProviderChosen(ILogger logger, string provider, string reason);

    [LoggerMessage(10, LogLevel.Information, "{Provider} is passed over: {Reason}")]
    public static partial void ProviderPassedOver(ILogger logger, string provider, string reason);

    [LoggerMessage(11, LogLevel.Warning, "Model {Model}: {Warning}")]
    public static partial void ModelWarning(ILogger logger, string model, string warning);

    [LoggerMessage(12, LogLevel.Warning,
        "The negative prompt of {RequestId} has no effect: guidance is distilled into the denoiser of {Model}")]
    public static partial void NegativePromptIgnored(ILogger logger, string requestId, string model);

    [LoggerMessage(13, LogLevel.Warning, "{Rows} rows of {Width}x{Height} did not fit beside the decoder; they run again when it is idle")]
    public static partial void WaitingForDecoder(ILogger logger, int rows, int width, int height);

    [LoggerMessage(14, LogLevel.Information, "{Model} needs about {Needed} of memory on {Device}; free: {Free}")]
    public static partial void MemoryNeeded(ILogger logger, string model, string needed, string device, string free);

    [LoggerMessage(15, LogLevel.Warning, "{Model} needs about {Needed} of memory on {Device}, but only {Free} are free: it may not fit")]
    public static partial void MemoryShort(ILogger logger, string model, string needed, string device, string free);

    [LoggerMessage(16, LogLevel.Information,
        "{Graph}: {Fused} of {Attentions} attentions fused; {Masked} have a mask and stay as they are")]
    public static partial void Fused(ILogger logger, string graph, int fused, int attentions, int masked);

    [LoggerMessage(17, LogLevel.Warning, "{Graph}: its attentions are not fused, and it runs as it is: {Reason}")]
    public static partial void NotFused(ILogger logger, string graph, string reason);

    [LoggerMessage(18, LogLevel.Warning,
        "An image of {Width}x{Height} did not fit into the device's memory to be decoded; from now on this size is decoded in tiles of "
        + "{Tile} pixels, whose seams may be seen")]
    public static partial void DecodedInTiles(ILogger logger, int width, int height, int tile);
}
