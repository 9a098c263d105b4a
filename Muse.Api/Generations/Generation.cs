using System.Text.Json.Serialization;

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
    /// <summary>When its first image was started.</summary>
    public DateTimeOffset? StartedAt { get; init; }
    /// <summary>When its last image ended.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
    /// <summary>Its position in the queue, while it waits.</summary>
    public GenerationPosition? Position { get; init; }
    /// <summary>Denoising steps done, over all images.</summary>
    public required int Step { get; init; }
    /// <summary>Denoising steps in all, over all images; 0 until a worker has one.</summary>
    public required int Steps { get; init; }
    /// <summary>The request, with the defaults filled in.</summary>
    public required GenerationSettings Request { get; init; }
    /// <summary>Its images, in order.</summary>
    public required IReadOnlyList<GenerationImage> Images { get; init; }
    /// <summary>Why it failed.</summary>
    public GenerationError? Error { get; init; }
    /// <summary>Fields that had no effect or another one than requested, each in a sentence.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>A position in the queue.</summary>
/// <param name="Ahead">Images before it.</param>
/// <param name="EstimatedWaitSeconds">Seconds until it starts, from the measured throughput; left out until it is measured.</param>
public sealed record GenerationPosition(long Ahead, double? EstimatedWaitSeconds);

/// <summary>The request. Fields that are left out have the model's default, which is not known yet.</summary>
public sealed record GenerationSettings
{
    /// <summary>The prompt.</summary>
    public required string Prompt { get; init; }
    /// <summary>The negative prompt.</summary>
    public string? NegativePrompt { get; init; }
    /// <summary>Whether weights are read in the prompts.</summary>
    public bool? PromptWeights { get; init; }
    /// <summary>Number of images.</summary>
    public required int N { get; init; }
    /// <summary>WIDTHxHEIGHT in pixels, or auto.</summary>
    public required string Size { get; init; }
    /// <summary>Denoising steps.</summary>
    public int? Steps { get; init; }
    /// <summary>Guidance scale.</summary>
    public float? GuidanceScale { get; init; }
    /// <summary>The sampler.</summary>
    public string? Scheduler { get; init; }
    /// <summary>The first image's seed.</summary>
    public required ulong Seed { get; init; }
    /// <summary>png, jpeg or webp.</summary>
    public required string OutputFormat { get; init; }
    /// <summary>interactive or batch.</summary>
    public required string Priority { get; init; }
}

/// <summary>One image of a job.</summary>
public sealed record GenerationImage
{
    /// <summary>0 to n - 1.</summary>
    public required int Index { get; init; }
    /// <summary>queued, running, succeeded, failed or cancelled.</summary>
    public required string State { get; init; }
    /// <summary>The seed that generates it again.</summary>
    public required ulong Seed { get; init; }
    /// <summary>Denoising steps done.</summary>
    public required int Step { get; init; }
    /// <summary>Denoising steps in all; 0 until a worker has it.</summary>
    public required int Steps { get; init; }
    /// <summary>Width in pixels, once completed.</summary>
    public int? Width { get; init; }
    /// <summary>Height in pixels, once completed.</summary>
    public int? Height { get; init; }
    /// <summary>Number of previews so far.</summary>
    public int? Previews { get; init; }
    /// <summary>The address of the latest preview, for the job's owner; each preview has a new one.</summary>
    public string? PreviewUrl { get; init; }
    /// <summary>The address of the image, for the job's owner, once completed.</summary>
    public string? ImageUrl { get; init; }
    /// <summary>A link that needs no key and works for an hour, once completed.</summary>
    public string? Url { get; init; }
    /// <summary>Seconds from acceptance until a worker started it.</summary>
    public double? WaitedSeconds { get; init; }
    /// <summary>Seconds from then until its bytes were ready.</summary>
    [JsonPropertyName("painted_seconds")]
    public double? GenerationSeconds { get; init; }
    /// <summary>The worker that generates or generated it.</summary>
    public string? Worker { get; init; }
    /// <summary>The end of the prompt that is beyond the model's limit.</summary>
    public string? PromptCutOff { get; init; }
    /// <summary>Whether the safety checker flagged it; it is black then.</summary>
    public bool? Flagged { get; init; }
    /// <summary>Why it failed.</summary>
    public GenerationError? Error { get; init; }
}

/// <summary>Why a job failed.</summary>
/// <param name="Code">A stable word for programs.</param>
/// <param name="Message">A sentence for a person.</param>
/// <param name="Field">The wrong field of the request, where there is one.</param>
public sealed record GenerationError(string Code, string Message, string? Field);

/// <summary>One page of the caller's jobs, newest first.</summary>
/// <param name="Object">Always list.</param>
/// <param name="Data">The jobs.</param>
/// <param name="HasMore">Whether there is a next page.</param>
/// <param name="NextCursor">What to pass as <c>cursor</c> for the next page.</param>
public sealed record GenerationList(string Object, IReadOnlyList<Generation> Data, bool HasMore, string? NextCursor);
