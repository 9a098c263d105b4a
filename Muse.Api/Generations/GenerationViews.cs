using Muse.Queue;

namespace Muse.Api;

/// <summary>Makes the jobs API's <see cref="Generation"/> from a job of the queue.</summary>
public sealed class GenerationViews(JobQueue queue, ImageLinks imageLinks, LinkGenerator links)
{
    /// <summary>The job, with its position in the queue while it waits.</summary>
    public async Task<Generation> ShowAsync(HttpContext context, JobSnapshot job, IReadOnlyList<string>? warnings = null)
    {
        var position = job.State == JobState.Queued ? await queue.PositionAsync(job.Job.Id, context.RequestAborted) : null;
        return Show(context, job, position) with { Warnings = warnings is { Count: > 0 } ? warnings : null };
    }

    /// <summary>The job, with a position in the queue where one is known.</summary>
    public Generation Show(HttpContext context, JobSnapshot snapshot, QueuePosition? position)
    {
        var job = snapshot.Job;
        var error = snapshot.Images.Select(image => image.Error).FirstOrDefault(error => error is not null);
        return new()
        {
            Id = job.Id,
            State = Name(snapshot.State),
            Revision = snapshot.Revision,
            CreatedAt = job.CreatedAt,
            StartedAt = snapshot.StartedAt,
            FinishedAt = snapshot.FinishedAt,
            Position = position is { } known ? new(known.Ahead, known.EstimatedWait?.TotalSeconds) : null,
            Step = snapshot.Images.Sum(image => image.Step),
            Steps = snapshot.Images.Sum(image => image.Steps),
            Request = new()
            {
                Prompt = job.Prompt,
                NegativePrompt = job.NegativePrompt.Length > 0 ? job.NegativePrompt : null,
                PromptWeights = job.PromptWeights ? true : null,
                N = job.Count,
                Size = ImageJson.Size(snapshot),
                Steps = job.Steps,
                GuidanceScale = job.GuidanceScale,
                Scheduler = job.Sampler,
                Seed = unchecked((ulong)job.Seed),
                OutputFormat = ImageLinks.Extension(job.Format),
                Priority = job.Priority == JobPriority.Batch ? "batch" : "interactive",
            },
            Images = [.. snapshot.Images.Select(image => Show(context, snapshot, image))],
            Error = Show(error),
        };
    }

    GenerationImage Show(HttpContext context, JobSnapshot snapshot, ImageSnapshot image)
    {
        var job = snapshot.Job;
        var completed = image.State == JobState.Succeeded;
        return new()
        {
            Index = image.Index,
            State = Name(image.State),
            Seed = unchecked((ulong)image.Seed),
            Step = image.Step,
            Steps = image.Steps,
            Width = completed ? image.Width : null,
            Height = completed ? image.Height : null,
            Previews = image.Previews > 0 ? image.Previews : null,
            PreviewUrl = image.Previews > 0 && !image.State.IsFinal()
                ? links.GetPathByName(context, RouteNames.GetGenerationPreview,
                    new { id = job.Id, index = image.Index, v = image.Previews })
                : null,
            ImageUrl = completed ? links.GetPathByName(context, RouteNames.GetGenerationImage, new { id = job.Id, index = image.Index })
                : null,
            Url = completed ? imageLinks.Create(context, snapshot, image.Index) : null,
            WaitedSeconds = image.Timings?.WaitTime.TotalSeconds,
            GenerationSeconds = image.Timings?.GenerationTime.TotalSeconds,
            Worker = image.Worker,
            PromptCutOff = image.PromptCutOff,
            Flagged = image.Flagged ? true : null,
            Error = Show(image.Error),
        };
    }

    static GenerationError? Show(JobError? error) => error is null ? null : new(error.Code, error.Message, error.Field);

    static string Name(JobState state) => state switch
    {
        JobState.Queued => "queued",
        JobState.Running => "running",
        JobState.Succeeded => "succeeded",
        JobState.Failed => "failed",
        _ => "cancelled",
    };
}
