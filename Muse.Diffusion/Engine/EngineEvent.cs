namespace Muse.Diffusion;

/// <summary>What happens to a request in the engine. The last four end it: exactly one of them comes for every request taken.</summary>
/// <remarks>Steps are those that run: where a run starts from an image, the steps before its start do not count.</remarks>
/// <param name="RequestId">The request's <see cref="GenerationRequest.Id"/>.</param>
public abstract record EngineEvent(string RequestId)
{
    /// <summary>
    /// It entered the batch, in <paramref name="Slot"/>, with <paramref name="Step"/> steps already done (above 0 when it continues from a
    /// checkpoint).
    /// </summary>
    public sealed record Joined(string RequestId, int Slot, int Step, int Steps) : EngineEvent(RequestId);

    /// <summary>A step was done.</summary>
    public sealed record Stepped(string RequestId, int Step, int Steps) : EngineEvent(RequestId);

    /// <summary>A preview of the image as it stands, one pixel for each cell of the latent.</summary>
    public sealed record Previewed(string RequestId, int Step, int Steps, RgbImage Preview) : EngineEvent(RequestId);

    /// <summary>
    /// Its state after <paramref name="Step"/> steps: pass it to <see cref="DiffusionEngine.TrySubmit"/> to continue from there, on any
    /// worker with the same model.
    /// </summary>
    public sealed record Checkpointed(string RequestId, int Step, ReadOnlyMemory<byte> State) : EngineEvent(RequestId);

    /// <summary>The image is generated; it is black when the model's safety checker flagged it.</summary>
    public sealed record Completed(string RequestId, int Steps, RgbImage Image, string? PromptCutOff, bool Flagged)
        : EngineEvent(RequestId);

    /// <summary>It failed, alone: the others in the batch go on.</summary>
    public sealed record Failed(string RequestId, string Message, bool InvalidRequest) : EngineEvent(RequestId);

    /// <summary>It was cancelled and is not in the batch any more.</summary>
    public sealed record Cancelled(string RequestId) : EngineEvent(RequestId);

    /// <summary>The engine was drained before it ended; its state lets another engine continue. Empty when it had not started.</summary>
    public sealed record HandedBack(string RequestId, int Step, ReadOnlyMemory<byte> State) : EngineEvent(RequestId);
}
