using Muse.Queue;

namespace Muse.Api;

/// <summary>Shows jobs as the jobs API does.</summary>
public sealed class GenerationViews(JobQueue queue, PictureLinks links)
{
    /// <summary>The job with its place in the queue, if it waits.</summary>
    public async Task<Generation> ShowAsync(HttpRequest request, JobSnapshot job, IReadOnlyList<string>? warnings = null)
    {
        var position = job.State == JobState.Queued ? await queue.PositionAsync(job.Job.Id, request.HttpContext.RequestAborted) : null;
        return Show(request, job, position) with { Warnings = warnings is { Count: > 0 } ? warnings : null };
    }

    /// <summary>The job, with a place in the queue where one is known.</summary>
    public Generation Show(HttpRequest request, JobSnapshot snapshot, QueuePosition? position)
    {
        var job = snapshot.Job;
        var error = snapshot.Pictures.Select(picture => picture.Error).FirstOrDefault(error => error is not null);
        return new()
        {
            Id = job.Id,
            State = Word(snapshot.State),
            Revision = snapshot.Revision,
            CreatedAt = job.CreatedAt,
            StartedAt = snapshot.StartedAt,
            FinishedAt = snapshot.FinishedAt,
            Position = position is { } place ? new(place.Ahead, place.EstimatedWait?.TotalSeconds) : null,
            Step = snapshot.Pictures.Sum(picture => picture.Step),
            Steps = snapshot.Pictures.Sum(picture => picture.Steps),
            Request = new()
            {
                Prompt = job.Prompt,
                NegativePrompt = job.NegativePrompt.Length > 0 ? job.NegativePrompt : null,
                N = job.Count,
                Size = PictureFacts.Size(snapshot),
                Steps = job.Steps,
                GuidanceScale = job.GuidanceScale,
                Scheduler = job.Sampler,
                Seed = job.Seed,
                OutputFormat = PictureLinks.Extension(job.Format),
                Priority = job.Priority == JobPriority.Batch ? "batch" : "interactive",
            },
            Images = [.. snapshot.Pictures.Select(picture => Show(request, job, picture))],
            Error = Show(error),
        };
    }

    GenerationPicture Show(HttpRequest request, ImageJob job, PictureSnapshot picture)
    {
        var painted = picture.State == JobState.Succeeded;
        var path = $"{request.PathBase}/v1/generations/{job.Id}/images/{picture.Index}";
        return new()
        {
            Index = picture.Index,
            State = Word(picture.State),
            Seed = picture.Seed,
            Step = picture.Step,
            Steps = picture.Steps,
            Width = painted ? picture.Width : null,
            Height = painted ? picture.Height : null,
            Previews = picture.Previews > 0 ? picture.Previews : null,
            PreviewUrl = picture.Previews > 0 && !picture.State.IsFinal() ? $"{path}/preview?v={picture.Previews}" : null,
            ImageUrl = painted ? path : null,
            Url = painted ? links.To(request, job.Id, picture.Index, job.Format) : null,
            WaitedSeconds = picture.Timings?.Waited.TotalSeconds,
            PaintedSeconds = picture.Timings?.Painted.TotalSeconds,
            Worker = picture.Worker,
            PromptCutOff = picture.PromptCutOff,
            Flagged = picture.Flagged ? true : null,
            Error = Show(picture.Error),
        };
    }

    static GenerationError? Show(JobError? error) => error is null ? null : new(error.Code, error.Message, error.Field);

    static string Word(JobState state) => state switch
    {
        JobState.Queued => "queued",
        JobState.Running => "running",
        JobState.Succeeded => "succeeded",
        JobState.Failed => "failed",
        _ => "cancelled",
    };
}
