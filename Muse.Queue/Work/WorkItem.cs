using System.Diagnostics;

namespace Muse.Queue;

/// <summary>One image to generate.</summary>
/// <param name="EntryId">Its id in the stream.</param>
/// <param name="Job">The job it belongs to.</param>
/// <param name="Index">Its index in the job.</param>
/// <param name="Deliveries">How often it was delivered, this delivery included.</param>
/// <param name="Checkpoint">The state to resume from; empty to start from the first step.</param>
public sealed record WorkItem(string EntryId, ImageJob Job, int Index, int Deliveries, ReadOnlyMemory<byte> Checkpoint)
{
    /// <summary>Unique to the image: <c>{job}/{index}</c>.</summary>
    public string Id { get; } = $"{Job.Id}/{Index}";

    /// <summary>The image's seed.</summary>
    public long Seed => unchecked(Job.Seed + Index);

    /// <summary>The lane of its stream.</summary>
    public JobPriority Lane { get; init; } = Job.Priority;

    /// <summary>When this or an earlier worker started it, by the clock of Redis.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>Starts the span of the image's generation, in the trace of its request. Null without a listener.</summary>
    public Activity? StartActivity()
    {
        _ = ActivityContext.TryParse(Job.TraceParent, null, isRemote: true, out var parent);
        return QueueTelemetry.Source.StartActivity("generate", ActivityKind.Consumer, parent)
            ?.SetTag("muse.job", Job.Id).SetTag("muse.image", Index).SetTag("muse.delivery", Deliveries);
    }
}
