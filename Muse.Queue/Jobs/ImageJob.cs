namespace Muse.Queue;

/// <summary>One accepted request: <see cref="Count"/> images of one prompt. Immutable; written once, when it is submitted.</summary>
/// <remarks>
/// Null stands for the model's default: the API sets it from the <see cref="ModelCard"/> if one is known, otherwise the worker does.
/// One stream entry is one image. Image <c>i</c> uses the seed <c>Seed + i</c>.
/// </remarks>
public sealed record ImageJob
{
    /// <summary>Unguessable, URL-safe, unique; 1 to 64 characters of <c>[A-Za-z0-9_-]</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The caller: the name of an API key, or an anonymous caller's address. A caller sees only its own jobs.</summary>
    public required string Owner { get; init; }

    /// <summary>The prompt, as the caller wrote it.</summary>
    public required string Prompt { get; init; }

    /// <summary>The negative prompt; empty for none.</summary>
    public string NegativePrompt { get; init; } = "";

    /// <summary>Whether weights such as <c>(red:1.3)</c> are read in both prompts; else they are text.</summary>
    public bool PromptWeights { get; init; }

    /// <summary>Width in pixels, or null for the model's default.</summary>
    public int? Width { get; init; }

    /// <summary>Height in pixels, or null for the model's default.</summary>
    public int? Height { get; init; }

    /// <summary>Denoising steps, or null for the model's default.</summary>
    public int? Steps { get; init; }

    /// <summary>Classifier-free guidance scale (1 = off), or null for the model's default.</summary>
    public float? GuidanceScale { get; init; }

    /// <summary>The sampler's name as in <see cref="ModelCard.Samplers"/>, or null for the model's own.</summary>
    public string? Sampler { get; init; }

    /// <summary>The first image's seed. It is chosen before the job is submitted, so that the response can name it.</summary>
    public required long Seed { get; init; }

    /// <summary>How many images, 1 to 10.</summary>
    public int Count { get; init; } = 1;

    /// <summary>
    /// The image that all images of the job start from, or null for text alone. <see cref="Width"/> and <see cref="Height"/> are set then.
    /// </summary>
    public JobInput? Input { get; init; }

    /// <summary>The images' file format.</summary>
    public OutputFormat Format { get; init; } = OutputFormat.Png;

    /// <summary>Quality of a JPEG or WebP, 0 to 100.</summary>
    public int Quality { get; init; } = 90;

    /// <summary>The number of previews of each image, evenly spaced over its steps, 0 to 100.</summary>
    public int Previews { get; init; }

    /// <summary>Interactive jobs are preferred to batch jobs, without starving them.</summary>
    public JobPriority Priority { get; init; } = JobPriority.Interactive;

    /// <summary>When it was created, by the API's clock.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>
    /// An image that has not started this long after it was accepted fails with the code <c>deadline_exceeded</c>. Null for no limit.
    /// </summary>
    /// <remarks>A duration, because the clocks of the API and of Redis differ. Redis measures it.</remarks>
    public TimeSpan? BeginWithin { get; init; }

    /// <summary>The URL to call at the end of the job, or null.</summary>
    public Uri? Webhook { get; init; }

    /// <summary>W3C <c>traceparent</c> of the request, so that the worker's spans join its trace.</summary>
    public string? TraceParent { get; init; }
}

/// <summary>An image's file format.</summary>
public enum OutputFormat
{
    /// <summary>PNG, lossless, with the parameters in a text chunk.</summary>
    Png,
    /// <summary>JPEG.</summary>
    Jpeg,
    /// <summary>WebP.</summary>
    Webp,
}

/// <summary>The lane of the queue: each is a stream of its own (<see cref="LanePolicy"/>).</summary>
public enum JobPriority
{
    /// <summary>A client waits for the images.</summary>
    Interactive,
    /// <summary>No client waits for the images.</summary>
    Batch,
}
