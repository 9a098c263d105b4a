namespace Muse.Api;

/// <summary>A job as the jobs API shows it.</summary>
public sealed record Generation
{
    /// <summary>The job's id.</summary>
    public required string Id { get; init; }
    /// <summary>Always generation.</summary>
    public string Object { get; init; } = "generation";
    /// <summary>queued, running, succeeded, failed or cancelled; the last three are final.</summary>
    public required string State { get; init; }
    /// <summary>Grows with every change; the id of the job's latest event.</summary>
    public required long Revision { get; init; }
    /// <summary>When it was accepted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>When its first picture was begun.</summary>
    public DateTimeOffset? StartedAt { get; init; }
    /// <summary>When its last picture ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
    /// <summary>Its place in the queue, while it waits.</summary>
    public GenerationPosition? Position { get; init; }
    /// <summary>Denoising steps done, over all pictures.</summary>
    public required int Step { get; init; }
    /// <summary>Denoising steps in all, over all pictures; 0 until a worker has one.</summary>
    public required int Steps { get; init; }
    /// <summary>What was asked for, as it is painted.</summary>
    public required GenerationSettings Request { get; init; }
    /// <summary>Its pictures, in order.</summary>
    public required IReadOnlyList<GenerationPicture> Images { get; init; }
    /// <summary>Why it failed.</summary>
    public GenerationError? Error { get; init; }
    /// <summary>Fields that were accepted and had no effect.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>A place in the queue.</summary>
/// <param name="Ahead">Pictures that stand before it.</param>
/// <param name="EstimatedWaitSeconds">Seconds until it begins, from the measured throughput; left out while none was measured.</param>
public sealed record GenerationPosition(long Ahead, double? EstimatedWaitSeconds);

/// <summary>What was asked for. What is left out is the model's default, not known yet.</summary>
public sealed record GenerationSettings
{
    /// <summary>What to paint.</summary>
    public required string Prompt { get; init; }
    /// <summary>What to keep out.</summary>
    public string? NegativePrompt { get; init; }
    /// <summary>How many pictures.</summary>
    public required int N { get; init; }
    /// <summary>WIDTHxHEIGHT in pixels, or auto.</summary>
    public required string Size { get; init; }
    /// <summary>Denoising steps.</summary>
    public int? Steps { get; init; }
    /// <summary>Guidance scale.</summary>
    public float? GuidanceScale { get; init; }
    /// <summary>The sampler.</summary>
    public string? Scheduler { get; init; }
    /// <summary>The first picture's seed.</summary>
    public required long Seed { get; init; }
    /// <summary>png, jpeg or webp.</summary>
    public required string OutputFormat { get; init; }
    /// <summary>interactive or batch.</summary>
    public required string Priority { get; init; }
}

/// <summary>One picture of a job.</summary>
public sealed record GenerationPicture
{
    /// <summary>0 to n - 1.</summary>
    public required int Index { get; init; }
    /// <summary>queued, running, succeeded, failed or cancelled.</summary>
    public required string State { get; init; }
    /// <summary>The seed that paints it again.</summary>
    public required long Seed { get; init; }
    /// <summary>Denoising steps done.</summary>
    public required int Step { get; init; }
    /// <summary>Denoising steps in all; 0 until a worker has it.</summary>
    public required int Steps { get; init; }
    /// <summary>Width in pixels, once painted.</summary>
    public int? Width { get; init; }
    /// <summary>Height in pixels, once painted.</summary>
    public int? Height { get; init; }
    /// <summary>Previews made so far.</summary>
    public int? Previews { get; init; }
    /// <summary>Where the latest preview is, for the job's owner; a new address for each.</summary>
    public string? PreviewUrl { get; init; }
    /// <summary>Where the picture is, for the job's owner, once painted.</summary>
    public string? ImageUrl { get; init; }
    /// <summary>A link that needs no key and works for an hour, once painted.</summary>
    public string? Url { get; init; }
    /// <summary>Seconds from acceptance until a worker began it.</summary>
    public double? WaitedSeconds { get; init; }
    /// <summary>Seconds from then until its bytes were ready.</summary>
    public double? PaintedSeconds { get; init; }
    /// <summary>The worker that has or painted it.</summary>
    public string? Worker { get; init; }
    /// <summary>What the model could not read of the prompt.</summary>
    public string? PromptCutOff { get; init; }
    /// <summary>Whether the safety checker blurred it.</summary>
    public bool? Flagged { get; init; }
    /// <summary>Why it failed.</summary>
    public GenerationError? Error { get; init; }
}

/// <summary>Why a job failed.</summary>
/// <param name="Code">A stable word for programs.</param>
/// <param name="Message">A sentence for a person.</param>
/// <param name="Field">The request's field at fault, where there is one.</param>
public sealed record GenerationError(string Code, string Message, string? Field);

/// <summary>One page of one's own jobs, newest first.</summary>
/// <param name="Object">Always list.</param>
/// <param name="Data">The jobs.</param>
/// <param name="HasMore">Whether there is a next page.</param>
/// <param name="NextCursor">What to pass as <c>cursor</c> for the next page.</param>
public sealed record GenerationList(string Object, IReadOnlyList<Generation> Data, bool HasMore, string? NextCursor);
