using System.Diagnostics;

namespace Muse.Queue;

/// <summary>One picture to paint.</summary>
/// <param name="EntryId">Its id in the stream.</param>
/// <param name="Job">The job it belongs to.</param>
/// <param name="Index">Which of the job's pictures.</param>
/// <param name="Deliveries">How often it was delivered, this time included.</param>
/// <param name="Checkpoint">The state to go on from; empty to begin at the beginning.</param>
public sealed record WorkItem(string EntryId, ImageJob Job, int Index, int Deliveries, ReadOnlyMemory<byte> Checkpoint)
{
    /// <summary>Unique to the picture: <c>{job}/{index}</c>.</summary>
    public string Id { get; } = $"{Job.Id}/{Index}";

    /// <summary>The seed to paint with.</summary>
    public long Seed => unchecked(Job.Seed + Index);

    /// <summary>The stream it stands in.</summary>
    public JobPriority Lane { get; init; } = Job.Priority;

    /// <summary>When this or an earlier worker began it, by Redis' clock.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>Starts the span under which the picture is painted, in the trace of the request that asked for it; null where nobody listens.</summary>
    public Activity? StartActivity()
    {
        _ = ActivityContext.TryParse(Job.TraceParent, null, isRemote: true, out var parent);
        return QueueTelemetry.Source.StartActivity("generate", ActivityKind.Consumer, parent)
            ?.SetTag("muse.job", Job.Id).SetTag("muse.picture", Index).SetTag("muse.delivery", Deliveries);
    }
}

/// <summary>A painted picture, ready to be stored.</summary>
/// <param name="Picture">Its bytes.</param>
/// <param name="Steps">The steps it took.</param>
/// <param name="StartedAt">When this or an earlier worker began it.</param>
/// <param name="PromptCutOff">What the model could not read of the prompt.</param>
/// <param name="Flagged">Whether the safety checker blurred it.</param>
public sealed record FinishedPicture(StoredPicture Picture, int Steps, DateTimeOffset StartedAt, string? PromptCutOff = null, bool Flagged = false);
