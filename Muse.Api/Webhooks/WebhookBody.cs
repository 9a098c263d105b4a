using Muse.Queue;

namespace Muse.Api;

/// <summary>The body of a webhook.</summary>
/// <param name="Type">generation.succeeded, generation.failed or generation.cancelled.</param>
/// <param name="Timestamp">When the job ended.</param>
/// <param name="Data">The job.</param>
public sealed record WebhookBody(string Type, DateTimeOffset Timestamp, WebhookJob Data)
{
    /// <summary>The body for a job that has ended.</summary>
    public static WebhookBody From(JobSnapshot job)
    {
        var state = job.State switch { JobState.Succeeded => "succeeded", JobState.Failed => "failed", _ => "cancelled" };
        return new($"generation.{state}", job.FinishedAt ?? job.Job.CreatedAt,
            new(job.Job.Id, state, job.Job.Count, unchecked((ulong)job.Job.Seed)));
    }
}

/// <summary>The job of a webhook.</summary>
/// <param name="Id">The job, at <c>/v1/generations/{id}</c>.</param>
/// <param name="State">succeeded, failed or cancelled.</param>
/// <param name="N">Number of images.</param>
/// <param name="Seed">The seed of the first image.</param>
public sealed record WebhookJob(string Id, string State, int N, ulong Seed);
