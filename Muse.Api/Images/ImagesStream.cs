using Muse.Queue;

namespace Muse.Api;

/// <summary>The images API's answer as server-sent events: previews on the way, then each picture.</summary>
/// <param name="asked">What the client asked for.</param>
/// <param name="partials">How many previews of each picture it wants.</param>
public sealed class ImagesStream(ImagesQuestion asked, int partials) : IResult
{
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var services = httpContext.RequestServices;
        var queue = services.GetRequiredService<JobQueue>();
        var waiters = services.GetRequiredService<Waiters>();
        waiters.Enter(asked.JobId);
        var final = false;
        try
        {
            await using var events = EventStream.Begin(httpContext);
            var seen = new PicturesSeen();
            await foreach (var job in events.WithPauses(queue.WatchAsync(asked.JobId, 0, httpContext.RequestAborted), Pause))
            {
                if (job is null)
                {
                    await events.KeepAliveAsync();
                    continue;
                }
                await PassOnAsync(events, queue, job, seen, httpContext.RequestAborted);
                final = job.State.IsFinal();
                if (final && job.State != JobState.Succeeded)
                    await events.SendAsync("error", null, ErrorResponses.OpenAIError(ImagesEndpoints.Failure(job)), ApiJson.Default.OpenAIErrorBody);
            }
            if (!final)
                await events.SendAsync("error", null, ErrorResponses.OpenAIError(ApiError.NotFound("job")), ApiJson.Default.OpenAIErrorBody);
        }
        finally
        {
            await waiters.LeaveAsync(asked.JobId, httpContext.RequestAborted);
        }
    }

    async Task PassOnAsync(EventStream events, JobQueue queue, JobSnapshot job, PicturesSeen seen, CancellationToken hangup)
    {
        foreach (var picture in job.Pictures)
        {
            if (seen.IsNewPreview(picture, partials) && await queue.FindPreviewAsync(asked.JobId, picture.Index, hangup) is { } preview)
                await SendAsync(events, "image_generation.partial_image", job, picture, preview, seen.Sent(picture), hangup);
            if (picture.State == JobState.Succeeded && seen.IsNewlyPainted(picture) && await queue.FindPictureAsync(asked.JobId, picture.Index, hangup) is { } painted)
                await SendAsync(events, "image_generation.completed", job, picture, painted, null, hangup);
        }
    }

    async Task SendAsync(EventStream events, string type, JobSnapshot job, PictureSnapshot picture, StoredPicture bytes, int? partial, CancellationToken hangup)
    {
        await events.SendAsync(type, null, async json =>
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            await Base64Json.WriteAsync(json, "b64_json", bytes.Bytes, hangup);
            if (partial is { } index)
                json.WriteNumber("partial_image_index", index);
            json.WriteNumber("created_at", (job.StartedAt ?? job.Job.CreatedAt).ToUnixTimeSeconds());
            json.WriteString("size", PictureFacts.Size(job));
            json.WriteString("quality", asked.AnsweredQuality);
            json.WriteString("background", "opaque");
            json.WriteString("output_format", PictureLinks.Extension(bytes.Format));
            json.WriteString("id", job.Job.Id);
            json.WriteNumber("image_index", picture.Index);
            PictureFacts.Write(json, picture);
            if (partial is null)
                PictureFacts.WriteUsage(json, job, 1);
            json.WriteEndObject();
        });
    }

    /// <summary>What was sent of each picture so far.</summary>
    sealed class PicturesSeen
    {
        readonly int[] previews = new int[Limits.MaxCount];
        readonly int[] sent = new int[Limits.MaxCount];
        readonly bool[] painted = new bool[Limits.MaxCount];

        // Once it is painted, a preview would only be late.
        public bool IsNewPreview(PictureSnapshot picture, int wanted) =>
            sent[picture.Index] < wanted && picture.Previews > previews[picture.Index] && !picture.State.IsFinal();

        public int Sent(PictureSnapshot picture)
        {
            previews[picture.Index] = picture.Previews;
            return sent[picture.Index]++;
        }

        public bool IsNewlyPainted(PictureSnapshot picture) => !painted[picture.Index] && (painted[picture.Index] = true);
    }
}
