using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The jobs API: submit a job, disconnect, and ask for it later.</summary>
public static class GenerationsEndpoints
{
    const int MaxPage = 100;

    /// <summary>Maps <c>/v1/generations</c>.</summary>
    public static void MapGenerations(this IEndpointRouteBuilder routes)
    {
        var jobs = routes.MapGroup("/v1/generations").WithTags("Generations").RequireCaller().ProducesProblems(401, 503);
        jobs.MapPost("", SubmitAsync).WithName(RouteNames.CreateGeneration).RequireRateLimiting(RateLimits.OpenRequests)
            .AcceptsInputImages(routes.ServiceProvider)
            .WithSummary("Submit a job")
            .WithDescription("Returns at once with the job's address. 'Prefer: wait=N' first waits up to N seconds for the end. "
                + "A lost connection does not cancel the job.")
            .Accepts<GenerationBody>("application/json").ProducesProblems(400, 404, 413, 415, 422, 429);
        jobs.MapGet("", ListAsync).WithName("listGenerations").WithSummary("The caller's jobs, newest first").ProducesProblems(400);
        jobs.MapGet("/{id}", GetAsync).WithName(RouteNames.GetGeneration).RequireRateLimiting(RateLimits.OpenRequests)
            .WithSummary("The present state of a job").ProducesProblems(404)
            .WithDescription("'Prefer: wait=N' first waits up to N seconds for the end.");
        jobs.MapDelete("/{id}", CancelAsync).WithName("cancelGeneration").WithSummary("Cancel a job").ProducesProblems(404)
            .WithDescription("Waiting images never start, running ones stop at the next step, completed ones are kept. A job that has "
                + "ended does not change.");
        jobs.MapGet("/{id}/events", EventsAsync).WithName("watchGeneration").RequireRateLimiting(RateLimits.OpenRequests)
            .WithSummary("The changes of a job as server-sent events")
            .ProducesProblems(400, 404).Produces(204)
            .WithDescription("The first event is the present state. Each change follows as 'update', the last one as 'end'. "
                + "While the job waits, 'position' follows each change of its position in the queue. "
                + "Last-Event-ID resumes after a lost connection.");
        jobs.MapGet("/{id}/images/{index:int}", ImageAsync).WithName(RouteNames.GetGenerationImage).WithSummary("A completed image")
            .ProducesProblems(404).Produces(200, typeof(Stream), "image/png", "image/jpeg", "image/webp");
        jobs.MapGet("/{id}/images/{index:int}/preview", PreviewAsync).WithName(RouteNames.GetGenerationPreview)
            .WithSummary("The latest preview of an image")
            .ProducesProblems(404).Produces(200, typeof(Stream), "image/png", "image/jpeg", "image/webp");
    }

    static async Task<Results<Accepted<Generation>, Ok<Generation>, ApiErrorResult>> SubmitAsync(HttpContext context,
        JobSubmission submission, RequestInputs inputs, JobQueue queue, GenerationViews views, WebhookSender webhooks, TimeProvider time,
        LinkGenerator links,
        [FromHeader(Name = "Prefer"), Description("wait=N waits up to N seconds for the end.")] string? prefer = null)
    {
        var body = await RequestBody.ReadAsync(context.Request, ApiJson.Default.GenerationBody,
            RequestIdentity.NeedsHash(context.Request));
        if (body.Value is not { } fields)
            return (ApiErrorResult)body.Error!;
        var (input, error) = await inputs.ReadAsync(fields, required: false, context.RequestAborted);
        if (error is not null)
            return (ApiErrorResult)error;
        var result = await submission.SubmitAsync(context, fields, body.Hash,
            (parser, request, card, origin) => parser.Parse(request, card, origin, input));
        if (result is not SubmissionResult.Accepted accepted)
            return (ApiErrorResult)((SubmissionResult.Rejected)result).Error;
        if (accepted.Job.Webhook is not null && accepted.IsNew)
            webhooks.SendWhenFinished(accepted.JobId);
        if (await WaitAsync(context, queue, time, accepted.JobId, prefer) is not { } job)
            return (ApiErrorResult)ApiError.NotFound("job");
        var view = await views.ShowAsync(context, job, accepted.Warnings);
        var location = links.GetPathByName(context, RouteNames.GetGeneration, new { id = view.Id });
        if (!job.State.IsFinal())
            return TypedResults.Accepted(location, view);
        context.Response.Headers.ContentLocation = location;
        return TypedResults.Ok(view);
    }

    static async Task<Results<Ok<GenerationList>, ApiErrorResult>> ListAsync(HttpContext context, JobQueue queue, GenerationViews views,
        [Description("The next_cursor of the previous page.")] string? cursor = null,
        [Description("Jobs per page, 1 to 100.")] string? limit = null)
    {
        var count = 20;
        if (limit is { Length: > 0 } && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count)
            || count is < 1 or > MaxPage))
        {
            return (ApiErrorResult)ApiError.Invalid("limit", $"'limit' must be a whole number from 1 to {MaxPage}.");
        }

        cursor = cursor is "" ? null : cursor;
        if (cursor is not null && !Cursors.IsWellFormed(cursor))
            return (ApiErrorResult)ApiError.Invalid("cursor", "'cursor' must be the next_cursor of a previous page.");
        var page = await queue.ListAsync(Caller.Of(context).Owner, cursor, count, context.RequestAborted);
        var jobs = page.Jobs.Select(job => views.Show(context, job, null));
        return TypedResults.Ok(new GenerationList("list", [.. jobs], page.NextCursor is not null, page.NextCursor));
    }

    static async Task<Results<Ok<Generation>, ApiErrorResult>> GetAsync(string id, HttpContext context, JobQueue queue,
        GenerationViews views, TimeProvider time,
        [FromHeader(Name = "Prefer"), Description("wait=N waits up to N seconds for the end.")] string? prefer = null)
    {
        if (await FindAsync(id, context, queue) is null || await WaitAsync(context, queue, time, id, prefer) is not { } job)
            return (ApiErrorResult)ApiError.NotFound("job");
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(await views.ShowAsync(context, job));
    }

    static async Task<Results<Ok<Generation>, ApiErrorResult>> CancelAsync(string id, HttpContext context, JobQueue queue,
        GenerationViews views)
    {
        if (await FindAsync(id, context, queue) is null || await queue.CancelAsync(id, context.RequestAborted) is not { } job)
            return (ApiErrorResult)ApiError.NotFound("job");
        return TypedResults.Ok(await views.ShowAsync(context, job));
    }

    static async Task<Results<GenerationEvents, NoContent, ApiErrorResult>> EventsAsync(string id, HttpContext context, JobQueue queue,
        [FromHeader(Name = "Last-Event-ID"), Description("The id of the last event that was received.")] string? lastEventId = null)
    {
        long seen = 0;
        if (!string.IsNullOrWhiteSpace(lastEventId)
            && (!long.TryParse(lastEventId, NumberStyles.None, CultureInfo.InvariantCulture, out seen) || seen < 0))
        {
            return (ApiErrorResult)ApiError.Invalid("Last-Event-ID", "'Last-Event-ID' must be the id of an earlier event.");
        }
        if (await FindAsync(id, context, queue) is not { } job)
            return (ApiErrorResult)ApiError.NotFound("job");
        // 204 tells an EventSource not to reconnect (HTML standard, "Server-sent events").
        return job.State.IsFinal() && job.Revision == seen ? TypedResults.NoContent() : new GenerationEvents(id, seen);
    }

    static async Task<Results<FileContentHttpResult, RedirectHttpResult, StatusCodeHttpResult, ApiErrorResult>> ImageAsync(string id,
        int index, HttpContext context, JobQueue queue) =>
        await FindAsync(id, context, queue) is { } job
            ? await ImageFiles.GetAsync(queue, context, job, index)
            : (ApiErrorResult)ApiError.NotFound("job");

    static async Task<Results<FileContentHttpResult, ApiErrorResult>> PreviewAsync(string id, int index, HttpContext context,
        JobQueue queue, ModelCardCache models)
    {
        if (await FindAsync(id, context, queue) is not { } job || index < 0 || index >= job.Images.Count
            || await models.ChecksSafetyAsync(context.RequestAborted)
            || await queue.FindPreviewAsync(id, index, context.RequestAborted) is not { } preview)
        {
            return (ApiErrorResult)ApiError.NotFound("preview");
        }

        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Bytes(preview.Bytes, ImageLinks.MediaType(preview.Format));
    }

    /// <summary>The job, if it is the caller's. An operator's key does not open another caller's jobs.</summary>
    static async Task<JobSnapshot?> FindAsync(string id, HttpContext context, JobQueue queue) =>
        JobIds.IsWellFormed(id) && await queue.FindAsync(id, context.RequestAborted) is { } job
            && job.Job.Owner == Caller.Of(context).Owner ? job : null;

    static async Task<JobSnapshot?> WaitAsync(HttpContext context, JobQueue queue, TimeProvider time, string id, string? prefer)
    {
        if (WaitPreference.Read(prefer) is not { } seconds)
            return await queue.FindAsync(id, context.RequestAborted);
        context.Response.Headers["Preference-Applied"] = string.Create(CultureInfo.InvariantCulture, $"wait={seconds}");
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, context.RequestAborted);
        try
        {
            return await queue.WaitAsync(id, either.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !context.RequestAborted.IsCancellationRequested)
        {
            return await queue.FindAsync(id, context.RequestAborted);
        }
    }
}
