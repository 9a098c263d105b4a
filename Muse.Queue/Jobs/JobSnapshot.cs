namespace Muse.Queue;

/// <summary>Where a job or one of its pictures stands. The last three are final: what is final never changes again.</summary>
public enum JobState
{
    /// <summary>Accepted, not begun.</summary>
    Queued,
    /// <summary>On a worker.</summary>
    Running,
    /// <summary>Painted.</summary>
    Succeeded,
    /// <summary>Ended with an error that says why.</summary>
    Failed,
    /// <summary>Cancelled by its caller.</summary>
    Cancelled,
}

/// <summary>Questions about a <see cref="JobState"/>.</summary>
public static class JobStates
{
    /// <summary>Whether the state never changes again.</summary>
    public static bool IsFinal(this JobState state) => state is JobState.Succeeded or JobState.Failed or JobState.Cancelled;
}

/// <summary>A job as it stands at one moment.</summary>
public sealed record JobSnapshot
{
    /// <summary>What was asked for.</summary>
    public required ImageJob Job { get; init; }

    /// <summary>Running as soon as one picture runs; final when all pictures are; failed if any failed.</summary>
    public required JobState State { get; init; }

    /// <summary>Grows with every change of the job, from 1: the id of its latest event.</summary>
    public required long Revision { get; init; }

    /// <summary>One entry a picture, in order.</summary>
    public required IReadOnlyList<PictureSnapshot> Pictures { get; init; }

    /// <summary>When the first picture was begun.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the last picture ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}

/// <summary>One picture of a job as it stands at one moment. Its bytes are fetched apart: <see cref="JobQueue.FindPictureAsync"/>.</summary>
public sealed record PictureSnapshot
{
    /// <summary>0 to <c>Count - 1</c>.</summary>
    public required int Index { get; init; }

    /// <summary>Where it stands.</summary>
    public required JobState State { get; init; }

    /// <summary>The seed it is painted with.</summary>
    public required long Seed { get; init; }

    /// <summary>Denoising steps done.</summary>
    public int Step { get; init; }

    /// <summary>Denoising steps in all; 0 until a worker has it.</summary>
    public int Steps { get; init; }

    /// <summary>How many previews there are so far; the latest is at <see cref="JobQueue.FindPreviewAsync"/>.</summary>
    public int Previews { get; init; }

    /// <summary>The worker that has it or painted it.</summary>
    public string? Worker { get; init; }

    /// <summary>Where and how the time went, once it is final.</summary>
    public PictureTimings? Timings { get; init; }

    /// <summary>Width in pixels, once it is painted.</summary>
    public int Width { get; init; }

    /// <summary>Height in pixels, once it is painted.</summary>
    public int Height { get; init; }

    /// <summary>What was cut off the prompt because the model can't read that much; null if nothing was.</summary>
    public string? PromptCutOff { get; init; }

    /// <summary>Whether the safety checker blurred it.</summary>
    public bool Flagged { get; init; }

    /// <summary>Why it failed.</summary>
    public JobError? Error { get; init; }
}

/// <summary>Where a picture's time went.</summary>
/// <param name="Waited">From acceptance until a worker began it.</param>
/// <param name="Painted">From then until its bytes were ready.</param>
public readonly record struct PictureTimings(TimeSpan Waited, TimeSpan Painted);

/// <summary>Why a job failed.</summary>
/// <param name="Code">One of <see cref="JobErrorCodes"/>.</param>
/// <param name="Message">A sentence for a person: what was wrong, where, and what is allowed.</param>
/// <param name="Field">The request's field at fault, where there is one.</param>
public sealed record JobError(string Code, string Message, string? Field = null);

/// <summary>The codes a <see cref="JobError"/> can have.</summary>
public static class JobErrorCodes
{
    /// <summary>The model can't paint what was asked; the caller can mend it.</summary>
    public const string InvalidRequest = "invalid_request";
    /// <summary>It was still waiting when its deadline passed.</summary>
    public const string DeadlineExceeded = "deadline_exceeded";
    /// <summary>Workers crashed on it too often; it lies with the dead letters.</summary>
    public const string Poisoned = "poisoned";
    /// <summary>What is stored of it can't be read; it lies with the dead letters.</summary>
    public const string Unreadable = "unreadable";
    /// <summary>The engine failed on it.</summary>
    public const string EngineFailure = "engine_failure";
}

/// <summary>A picture's bytes.</summary>
/// <param name="Bytes">The file's content.</param>
/// <param name="Format">Its format.</param>
/// <param name="Width">Width in pixels.</param>
/// <param name="Height">Height in pixels.</param>
public sealed record StoredPicture(ReadOnlyMemory<byte> Bytes, PictureFormat Format, int Width, int Height);

/// <summary>One page of a caller's jobs, newest first.</summary>
/// <param name="Jobs">The jobs.</param>
/// <param name="NextCursor">What to pass for the next page; null at the end.</param>
public sealed record JobPage(IReadOnlyList<JobSnapshot> Jobs, string? NextCursor);
