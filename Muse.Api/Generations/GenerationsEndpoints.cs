using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The jobs API: ask, go away, come back.</summary>
public static class GenerationsEndpoints
{
    const int MaxWaitSeconds = 600;
    const int MaxPage = 100;

    /// <summary>Maps <c>/v1/generations</c>.</summary>
    public static void MapGenerations(this IEndpointRouteBuilder routes)
    {
        var jobs = routes.MapGroup("/v1/generations").WithTags("Generations").RequireCaller().ProducesProblems(401, 503);
        jobs.MapPost("", SubmitAsync).WithName("createGeneration").RequireRateLimiting(RateLimits.Submissions)
            .WithSummary("Submit a job")
            .WithDescription("Answers at once with where to look. 'Prefer: wait=N' waits up to N seconds for the end first. Hanging up does not cancel it.")
            .Accepts<GenerationRequest>("application/json").ProducesProblems(400, 404, 413, 415, 422, 429);
        jobs.MapGet("", ListAsync).WithName("listGenerations").WithSummary("One's own jobs, newest first").ProducesProblems(400);
        jobs.MapGet("/{id}", GetAsync).WithName("getGeneration").WithSummary("A job as it stands").ProducesProblems(404)
            .WithDescription("'Prefer: wait=N' waits up to N seconds for the end first.");
        jobs.MapDelete("/{id}", CancelAsync).WithName("cancelGeneration").WithSummary("Cancel a job").ProducesProblems(404)
            .WithDescription("What waits is never begun, what runs leaves at the next step; what is painted stays. A job that has ended stays as it is.");
        jobs.MapGet("/{id}/events", EventsAsync).WithName("watchGeneration").WithSummary("A job's changes as server-sent events").ProducesProblems(400, 404)
            .WithDescription("First the job as it stands, then again after each change: 'update', and 'end' for the last. While it waits, 'position' shows it again when its place in the queue changes. Last-Event-ID resumes after a lost connection.");
        jobs.MapGet("/{id}/images/{index:int}", PictureAsync).WithName("getGenerationImage").WithSummary("A finished picture").ProducesProblems(404).Produces(200, typeof(Stream), "image/png", "image/jpeg", "image/webp");
        jobs.MapGet("/{id}/images/{index:int}/preview", PreviewAsync).WithName("getGenerationPreview").WithSummary("The latest preview of a picture").ProducesProblems(404).Produces(200, typeof(Stream), "image/png", "image/jpeg", "image/webp");
    }

    static async Task<Results<Accepted<Generation>, Ok<Generation>, Refusal>> SubmitAsync(HttpContext context, Door door, JobQueue queue, GenerationViews views, WebhookSender webhooks, TimeProvider time,
        LinkGenerator addresses, [FromHeader(Name = "Prefer"), Description("wait=N waits up to N seconds for the end.")] string? prefer = null)
    {
        var (_, entry) = await door.EnterAsync(context, ApiJson.Default.GenerationRequest, static (parser, body, card, origin) => parser.Parse(body, card, origin));
        if (entry.Error is { } error)
            return (Refusal)error;
        if (entry.Job!.Webhook is not null && entry.JobId == entry.Job.Id)
            webhooks.Announce(entry.JobId);
        if (await WaitAsync(context, queue, time, entry.JobId!, prefer) is not { } job)
            return (Refusal)ApiError.NotFound("job");
        var view = await views.ShowAsync(context.Request, job, entry.Warnings);
        var location = addresses.GetPathByName(context, "getGeneration", new { id = view.Id });
        if (job.State.IsFinal())
        {
            context.Response.Headers.ContentLocation = location;
            return TypedResults.Ok(view);
        }
        return TypedResults.Accepted(location, view);
    }

    static async Task<Results<Ok<GenerationList>, Refusal>> ListAsync(HttpContext context, JobQueue queue, GenerationViews views,
        [Description("Where to go on: next_cursor of the page before.")] string? cursor = null, [Description("Jobs a page, 1 to 100.")] string? limit = null)
    {
        var count = 20;
        if (limit is not null && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > MaxPage))
            return (Refusal)ApiError.Invalid("limit", $"'limit' must be a whole number from 1 to {MaxPage}.");
        if (cursor is not null && !Cursors.IsWellFormed(cursor))
            return (Refusal)ApiError.Invalid("cursor", "'cursor' must be the next_cursor of a page before.");
        var page = await queue.ListAsync(Caller.Of(context).Owner, cursor, count, context.RequestAborted);
        var jobs = page.Jobs.Select(job => views.Show(context.Request, job, null));
        return TypedResults.Ok(new GenerationList("list", [.. jobs], page.NextCursor is not null, page.NextCursor));
    }

    static async Task<Results<Ok<Generation>, Refusal>> GetAsync(string id, HttpContext context, JobQueue queue, GenerationViews views, TimeProvider time,
        [FromHeader(Name = "Prefer"), Description("wait=N waits up to N seconds for the end.")] string? prefer = null)
    {
        if (await FindAsync(id, context, queue) is null || await WaitAsync(context, queue, time, id, prefer) is not { } job)
            return (Refusal)ApiError.NotFound("job");
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(await views.ShowAsync(context.Request, job));
    }

    static async Task<Results<Ok<Generation>, Refusal>> CancelAsync(string id, HttpContext context, JobQueue queue, GenerationViews views)
    {
        if (await FindAsync(id, context, queue) is null || await queue.CancelAsync(id, context.RequestAborted) is not { } job)
            return (Refusal)ApiError.NotFound("job");
        return TypedResults.Ok(await views.ShowAsync(context.Request, job));
    }

    static async Task<Results<GenerationEvents, Refusal>> EventsAsync(string id, HttpContext context, JobQueue queue,
        [FromHeader(Name = "Last-Event-ID"), Description("The last event seen.")] string? lastEventId = null)
    {
        long seen = 0;
        if (lastEventId is not null && (!long.TryParse(lastEventId, NumberStyles.None, CultureInfo.InvariantCulture, out seen) || seen < 0))
            return (Refusal)ApiError.Invalid("Last-Event-ID", "'Last-Event-ID' must be the id of an event seen before.");
        return await FindAsync(id, context, queue) is null ? (Refusal)ApiError.NotFound("job") : new GenerationEvents(id, seen);
    }

    static async Task<Results<FileContentHttpResult, Refusal>> PictureAsync(string id, int index, HttpContext context, JobQueue queue) =>
        await FindAsync(id, context, queue) is { } job ? await PictureFiles.AnswerAsync(queue, context, job, index) : (Refusal)ApiError.NotFound("job");

    static async Task<Results<FileContentHttpResult, Refusal>> PreviewAsync(string id, int index, HttpContext context, JobQueue queue)
    {
        if (await FindAsync(id, context, queue) is not { } job || index < 0 || index >= job.Pictures.Count
            || await queue.FindPreviewAsync(id, index, context.RequestAborted) is not { } preview)
        {
            return (Refusal)ApiError.NotFound("preview");
        }

        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Bytes(preview.Bytes, PictureLinks.MediaType(preview.Format));
    }

    /// <summary>The job, if it is the caller's. An operator's key opens no other caller's jobs.</summary>
    static async Task<JobSnapshot?> FindAsync(string id, HttpContext context, JobQueue queue) =>
        JobIds.IsWellFormed(id) && await queue.FindAsync(id, context.RequestAborted) is { } job && job.Job.Owner == Caller.Of(context).Owner ? job : null;

    static async Task<JobSnapshot?> WaitAsync(HttpContext context, JobQueue queue, TimeProvider time, string id, string? prefer)
    {
        if (Preference.Wait(prefer) is not { } seconds)
            return await queue.FindAsync(id, context.RequestAborted);
        context.Response.Headers["Preference-Applied"] = string.Create(CultureInfo.InvariantCulture, $"wait={seconds}");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, context.RequestAborted);
        try
        {
            return await queue.WaitAsync(id, either.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            return await queue.FindAsync(id, context.RequestAborted);
        }
    }

    /// <summary>The <c>Prefer</c> header, RFC 7240.</summary>
    static class Preference
    {
        /// <summary>Seconds to wait, at most ten minutes; null where it does not say so.</summary>
        public static int? Wait(string? prefer)
        {
            foreach (var preference in (prefer ?? "").Split(',', ';'))
            {
                if (preference.Trim().Split('=') is ["wait", var seconds] && int.TryParse(seconds.Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var wait))
                    return Math.Min(wait, MaxWaitSeconds);
            }

            return null;
        }
    }
}
