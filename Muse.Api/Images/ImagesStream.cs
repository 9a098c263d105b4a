using Muse.Queue;

namespace Muse.Api;

/// <summary>The response of the images API as server-sent events: previews, then each image.</summary>
/// <param name="request">The request.</param>
/// <param name="partials">How many previews of each image to send.</param>
public sealed class ImagesStream(ImagesRequestContext request, int partials) : IResult
{
    static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var services = httpContext.RequestServices;
        var queue = services.GetRequiredService<JobQueue>();
        var connections = services.GetRequiredService<WaitingConnections>();
        var previews = await services.GetRequiredService<ModelCardCache>().ChecksSafetyAsync(httpContext.RequestAborted) ? 0 : partials;
        connections.Add(request.JobId);
        var final = false;
        try
        {
            await using var events = EventStream.Begin(httpContext);
            var sent = new SentImages();
            await foreach (var job in events.WithTimeouts(queue.WatchAsync(request.JobId, 0, httpContext.RequestAborted),
                KeepAliveInterval))
            {
                if (job is null)
                {
                    await events.KeepAliveAsync();
                    continue;
                }
                await SendNewAsync(events, queue, job, sent, previews, httpContext.RequestAborted);
                final = job.State.IsFinal();
                if (final && job.State != JobState.Succeeded)
                    await events.SendAsync("error", null, OpenAIErrorBody.From(ApiError.From(job)), ApiJson.Default.OpenAIErrorBody);
            }
            if (!final)
                await events.SendAsync("error", null, OpenAIErrorBody.From(ApiError.NotFound("job")), ApiJson.Default.OpenAIErrorBody);
        }
        finally
        {
            connections.Remove(request.JobId, request.Submission.CancelOnDisconnect, httpContext.RequestAborted);
        }
    }

    async Task SendNewAsync(EventStream events, JobQueue queue, JobSnapshot job, SentImages sent, int previews,
        CancellationToken cancellation)
    {
        foreach (var image in job.Images)
        {
            if (sent.IsNewPreview(image, previews)
                && await queue.FindPreviewAsync(request.JobId, image.Index, cancellation) is { } preview)
            {
                await SendAsync(
                    events, $"{request.EventPrefix}.partial_image", job, image, preview, sent.AddPreview(image), cancellation);
            }

            if (image.State == JobState.Succeeded && sent.AddCompleted(image)
                && await queue.FindImageAsync(request.JobId, image.Index, cancellation) is { } completed)
            {
                using (completed)
                    await SendAsync(events, $"{request.EventPrefix}.completed", job, image, completed, null, cancellation);
            }
        }
    }

    async Task SendAsync(EventStream events, string type, JobSnapshot job, ImageSnapshot image, StoredImage bytes, int? partial,
        CancellationToken cancellation)
    {
        await events.SendAsync(type, null, async json =>
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            await Base64Json.WriteAsync(json, "b64_json", bytes.Bytes, cancellation);
            if (partial is { } index)
                json.WriteNumber("partial_image_index", index);
            json.WriteNumber("created_at", (job.StartedAt ?? job.Job.CreatedAt).ToUnixTimeSeconds());
            json.WriteString("size", ImageJson.Size(job));
            json.WriteString("quality", request.ResponseQuality);
            json.WriteString("background", "opaque");
            json.WriteString("model", request.Model);
            json.WriteString("output_format", ImageLinks.Extension(bytes.Format));
            json.WriteString("id", job.Job.Id);
            json.WriteNumber("image_index", image.Index);
            ImageJson.WriteImage(json, image);
            if (partial is null)
            {
                ImageJson.WriteUsage(json, job, 1);
                ImageJson.WriteWarnings(json, request);
            }

            json.WriteEndObject();
        });
    }

    /// <summary>What has been sent of each image.</summary>
    sealed class SentImages
    {
        readonly int[] latestPreview = new int[Limits.MaxCount];
        readonly int[] previews = new int[Limits.MaxCount];
        readonly bool[] completed = new bool[Limits.MaxCount];

        // A preview that would follow its image is not sent.
        public bool IsNewPreview(ImageSnapshot image, int most) =>
            previews[image.Index] < most && image.Previews > latestPreview[image.Index] && !image.State.IsFinal();

        /// <summary>Counts a preview, and returns its index.</summary>
        public int AddPreview(ImageSnapshot image)
        {
            latestPreview[image.Index] = image.Previews;
            return previews[image.Index]++;
        }

        /// <summary>Marks an image as sent, and returns whether it was not before.</summary>
        public bool AddCompleted(ImageSnapshot image) => !completed[image.Index] && (completed[image.Index] = true);
    }
}
