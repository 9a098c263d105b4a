using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using Muse.Queue;

namespace Muse.Api;

/// <summary>A job's changes as server-sent events; each event's id is the job's revision, from which a client can resume.</summary>
/// <param name="jobId">The job.</param>
/// <param name="afterRevision">The last event that the client has seen.</param>
public sealed class GenerationEvents(string jobId, long afterRevision) : IResult, IEndpointMetadataProvider
{
    // A place in the queue changes without the job changing, so it is asked for.
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var services = httpContext.RequestServices;
        var queue = services.GetRequiredService<JobQueue>();
        var views = services.GetRequiredService<GenerationViews>();
        await using var events = EventStream.Begin(httpContext);
        JobSnapshot? latest = null;
        QueuePosition? position = null;
        await foreach (var job in events.WithPauses(queue.WatchAsync(jobId, afterRevision, httpContext.RequestAborted), Pause))
        {
            latest = job ?? latest;
            var place = latest is { State: JobState.Queued } ? await queue.PositionAsync(jobId, httpContext.RequestAborted) : null;
            if (job is not null)
                await events.SendAsync(job.State.IsFinal() ? "end" : "update", job.Revision, views.Show(httpContext.Request, job, place), ApiJson.Default.Generation);
            else if (place is { } now && now != position)
                await events.SendAsync("position", null, views.Show(httpContext.Request, latest!, now), ApiJson.Default.Generation);
            else
                await events.KeepAliveAsync();
            position = place;
        }
    }

    /// <inheritdoc/>
    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(200, typeof(string), ["text/event-stream"]));
}
