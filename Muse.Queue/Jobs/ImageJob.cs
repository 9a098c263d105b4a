namespace Muse.Queue;

/// <summary>One accepted request: <see cref="Count"/> pictures of one prompt. Immutable; written once, when it is submitted.</summary>
/// <remarks>
/// What is null means "the model's default": the API fills it in from the <see cref="ModelCard"/> where one is known,
/// and the worker does where none was. One stream entry is one picture; picture <c>i</c> is painted with <c>Seed + i</c>.
/// </remarks>
public sealed record ImageJob
{
    /// <summary>Unguessable, URL-safe, unique; 1 to 64 characters of <c>[A-Za-z0-9_-]</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Who asked: the name of an API key, or an anonymous caller's address. A caller sees only its own jobs.</summary>
    public required string Owner { get; init; }

    /// <summary>What to paint, as the caller wrote it.</summary>
    public required string Prompt { get; init; }

    /// <summary>What to keep out of the picture; empty for nothing.</summary>
    public string NegativePrompt { get; init; } = "";

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

    /// <summary>The first picture's seed; always chosen by the time a job is submitted, so that it can be told to the caller.</summary>
    public required long Seed { get; init; }

    /// <summary>How many pictures, 1 to 10.</summary>
    public int Count { get; init; } = 1;

    /// <summary>The pictures' file format.</summary>
    public PictureFormat Format { get; init; } = PictureFormat.Png;

    /// <summary>Quality of a JPEG or WebP, 0 to 100.</summary>
    public int Quality { get; init; } = 90;

    /// <summary>How many previews to make of each picture on its way, evenly spaced, 0 to 100.</summary>
    public int Previews { get; init; }

    /// <summary>Interactive jobs go before batch jobs, without starving them.</summary>
    public JobPriority Priority { get; init; } = JobPriority.Interactive;

    /// <summary>When it was accepted.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>What has not begun by then is never begun, and ends as failed with the code <c>deadline_exceeded</c>.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Where to announce the end of the job, or null.</summary>
    public Uri? Webhook { get; init; }

    /// <summary>W3C <c>traceparent</c> of the request, so that the worker's spans join its trace.</summary>
    public string? TraceParent { get; init; }
}

/// <summary>A picture's file format.</summary>
public enum PictureFormat
{
    /// <summary>PNG, lossless, with the parameters in a text chunk.</summary>
    Png,
    /// <summary>JPEG.</summary>
    Jpeg,
    /// <summary>WebP.</summary>
    Webp,
}

/// <summary>Which lane of the queue a job stands in.</summary>
public enum JobPriority
{
    /// <summary>Somebody waits for it.</summary>
    Interactive,
    /// <summary>Nobody waits for it.</summary>
    Batch,
}
