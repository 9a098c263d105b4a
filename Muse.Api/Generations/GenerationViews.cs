using Muse.Queue;

namespace Muse.Api;

/// <summary>Makes the jobs API's <see cref="Generation"/> from a job of the queue.</summary>
public sealed class GenerationViews(JobQueue queue, PictureLinks pictureLinks, LinkGenerator links)
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
        var error = snapshot.Pictures.Select(picture => picture.Error).FirstOrDefault(error => error is not null);
        return new()
        {
            Id = job.Id,
            State = Name(snapshot.State),
            Revision = snapshot.Revision,
            CreatedAt = job.CreatedAt,
            StartedAt = snapshot.StartedAt,
            FinishedAt = snapshot.FinishedAt,
            Position = position is { } known ? new(known.Ahead, known.EstimatedWait?.TotalSeconds) : null,
            Step = snapshot.Pictures.Sum(picture => picture.Step),
            Steps = snapshot.Pictures.Sum(picture => picture.Steps),
            Request = new()
            {
                Prompt = job.Prompt,
                NegativePrompt = job.NegativePrompt.Length > 0 ? job.NegativePrompt : null,
                PromptWeights = job.PromptWeights ? true : null,
                N = job.Count,
                Size = PictureJson.Size(snapshot),
                Steps = job.Steps,
                GuidanceScale = job.GuidanceScale,
                Scheduler = job.Sampler,
                Seed = unchecked((ulong)job.Seed),
                OutputFormat = PictureLinks.Extension(job.Format),
                Priority = job.Priority == JobPriority.Batch ? "batch" : "interactive",
            },
            Images = [.. snapshot.Pictures.Select(picture => Show(context, snapshot, picture))],
            Error = Show(error),
        };
    }

    GenerationPicture Show(HttpContext context, JobSnapshot snapshot, PictureSnapshot picture)
    {
        var job = snapshot.Job;
        var completed = picture.State == JobState.Succeeded;
        return new()
        {
            Index = picture.Index,
            State = Name(picture.State),
            Seed = unchecked((ulong)picture.Seed),
            Step = picture.Step,
            Steps = picture.Steps,
            Width = completed ? picture.Width : null,
            Height = completed ? picture.Height : null,
            Previews = picture.Previews > 0 ? picture.Previews : null,
            PreviewUrl = picture.Previews > 0 && !picture.State.IsFinal()
                ? links.GetPathByName(context, RouteNames.GetGenerationPreview,
                    new { id = job.Id, index = picture.Index, v = picture.Previews })
                : null,
            ImageUrl = completed ? links.GetPathByName(context, RouteNames.GetGenerationImage, new { id = job.Id, index = picture.Index })
                : null,
            Url = completed ? pictureLinks.Create(context, snapshot, picture.Index) : null,
            WaitedSeconds = picture.Timings?.Waited.TotalSeconds,
            PaintedSeconds = picture.Timings?.Painted.TotalSeconds,
            Worker = picture.Worker,
            PromptCutOff = picture.PromptCutOff,
            Flagged = picture.Flagged ? true : null,
            Error = Show(picture.Error),
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
