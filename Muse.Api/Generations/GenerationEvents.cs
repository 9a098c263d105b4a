using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The changes of a job as server-sent events. The id of an event is the job's revision, from which a client can resume.</summary>
/// <param name="jobId">The job.</param>
/// <param name="afterRevision">The last event that the client has received.</param>
public sealed class GenerationEvents(string jobId, long afterRevision) : IResult, IEndpointMetadataProvider
{
    // The position in the queue changes without a change of the job, so it is polled.
    static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var services = httpContext.RequestServices;
        var queue = services.GetRequiredService<JobQueue>();
        var views = services.GetRequiredService<GenerationViews>();
        await using var events = EventStream.Begin(httpContext);
        if (HeadRequests.IsHead(httpContext))
            return;
        JobSnapshot? latest = null;
        QueuePosition? position = null;
        await foreach (var job in events.WithTimeouts(queue.WatchAsync(jobId, afterRevision, httpContext.RequestAborted), PollInterval))
        {
            latest = job ?? latest;
            var current = latest is { State: JobState.Queued } ? await queue.PositionAsync(jobId, httpContext.RequestAborted) : null;
            if (job is not null)
            {
                var name = job.State.IsFinal() ? "end" : "update";
                await events.SendAsync(name, job.Revision, views.Show(httpContext, job, current), ApiJson.Default.Generation);
            }
            else if (current is { } moved && moved != position)
            {
                await events.SendAsync("position", null, views.Show(httpContext, latest!, moved), ApiJson.Default.Generation);
            }
            else
            {
                await events.KeepAliveAsync();
            }

            position = current;
        }
    }

    /// <inheritdoc/>
    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(200, typeof(string), ["text/event-stream"]));
}
