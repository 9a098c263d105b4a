namespace Muse.Queue;

/// <summary>The state of a job or of one of its images. The last three are final: they never change again.</summary>
public enum JobState
{
    /// <summary>Accepted and not started.</summary>
    Queued,
    /// <summary>On a worker.</summary>
    Running,
    /// <summary>Completed.</summary>
    Succeeded,
    /// <summary>Ended with an error that says why.</summary>
    Failed,
    /// <summary>Cancelled by its caller.</summary>
    Cancelled,
}

/// <summary>Extensions of <see cref="JobState"/>.</summary>
public static class JobStates
{
    /// <summary>Whether the state never changes again.</summary>
    public static bool IsFinal(this JobState state) => state is JobState.Succeeded or JobState.Failed or JobState.Cancelled;
}

/// <summary>The state of a job at one moment.</summary>
public sealed record JobSnapshot
{
    /// <summary>The request.</summary>
    public required ImageJob Job { get; init; }

    /// <summary>Running as soon as one image runs. Final when all images are. Failed if any image failed.</summary>
    public required JobState State { get; init; }

    /// <summary>Increases with every change of the job, from 1. It is the id of the latest event.</summary>
    public required long Revision { get; init; }

    /// <summary>One element per image, in order.</summary>
    public required IReadOnlyList<ImageSnapshot> Images { get; init; }

    /// <summary>When the first image was started.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the last image ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}

/// <summary>The state of one image at one moment. <see cref="JobQueue.FindImageAsync"/> reads its bytes.</summary>
public sealed record ImageSnapshot
{
    /// <summary>0 to <c>Count - 1</c>.</summary>
    public required int Index { get; init; }

    /// <summary>Its state.</summary>
    public required JobState State { get; init; }

    /// <summary>Its seed.</summary>
    public required long Seed { get; init; }

    /// <summary>Denoising steps done.</summary>
    public int Step { get; init; }

    /// <summary>Denoising steps in all; 0 until a worker has it.</summary>
    public int Steps { get; init; }

    /// <summary>The number of previews so far. <see cref="JobQueue.FindPreviewAsync"/> reads the latest.</summary>
    public int Previews { get; init; }

    /// <summary>The worker that works on it or completed it.</summary>
    public string? Worker { get; init; }

    /// <summary>Its timings, once it is final.</summary>
    public ImageTimings? Timings { get; init; }

    /// <summary>Width in pixels, once it is completed.</summary>
    public int Width { get; init; }

    /// <summary>Height in pixels, once it is completed.</summary>
    public int Height { get; init; }

    /// <summary>The end of the prompt that the model could not read; null if it read all.</summary>
    public string? PromptCutOff { get; init; }

    /// <summary>Whether the safety checker flagged it; it is black then.</summary>
    public bool Flagged { get; init; }

    /// <summary>Why it failed.</summary>
    public JobError? Error { get; init; }
}

/// <summary>The timings of an image.</summary>
/// <param name="WaitTime">From acceptance until a worker started it.</param>
/// <param name="GenerationTime">From then until its bytes were stored.</param>
public readonly record struct ImageTimings(TimeSpan WaitTime, TimeSpan GenerationTime);

/// <summary>Why a job failed.</summary>
/// <param name="Code">One of <see cref="JobErrorCodes"/>.</param>
/// <param name="Message">A sentence for people: what is wrong and what is allowed.</param>
/// <param name="Field">The invalid field of the request, if there is one.</param>
public sealed record JobError(string Code, string Message, string? Field = null);

/// <summary>The codes a <see cref="JobError"/> can have.</summary>
public static class JobErrorCodes
{
    /// <summary>The model does not support the request. The caller can correct it.</summary>
    public const string InvalidRequest = "invalid_request";
    /// <summary>The deadline passed before it was started.</summary>
    public const string DeadlineExceeded = "deadline_exceeded";
    /// <summary>Workers crashed on it too often. It is a dead letter.</summary>
    public const string Poisoned = "poisoned";
    /// <summary>Its stored request is damaged. It is a dead letter.</summary>
    public const string Unreadable = "unreadable";
    /// <summary>The engine failed on it.</summary>
    public const string EngineFailure = "engine_failure";
}

/// <summary>An image's bytes.</summary>
/// <param name="Bytes">The file's content.</param>
/// <param name="Format">Its format.</param>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
/// <param name="Buffer">The pooled memory of <paramref name="Bytes"/>, which is not to be read after <see cref="Dispose"/>; null where
/// it is not pooled.</param>
public sealed record StoredImage(ReadOnlyMemory<byte> Bytes, OutputFormat Format, int Width, int Height, IDisposable? Buffer = null)
    : IDisposable
{
    /// <summary>Gives the memory back to its pool. Without this call it is garbage like any other.</summary>
    public void Dispose() => Buffer?.Dispose();
}

/// <summary>One page of a caller's jobs, newest first.</summary>
/// <param name="Jobs">The jobs.</param>
/// <param name="NextCursor">The cursor of the next page; null at the end.</param>
public sealed record JobPage(IReadOnlyList<JobSnapshot> Jobs, string? NextCursor);
