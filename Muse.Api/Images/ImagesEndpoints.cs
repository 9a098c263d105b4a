using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>OpenAI's images API.</summary>
public static class ImagesEndpoints
{
    /// <summary>Maps <c>POST /v1/images/generations</c> and the links of its answers.</summary>
    public static void MapImages(this IEndpointRouteBuilder routes)
    {
        var images = routes.MapGroup("/v1/images").WithTags("Images");
        images.MapPost("/generations", GenerateAsync).WithName("createImage").RequireCaller().RequireRateLimiting(RateLimits.Submissions)
            .WithSummary("Paint pictures and wait for them")
            .WithDescription("OpenAI's images API. The connection stays open until the pictures are painted; hanging up cancels them. With 'stream' the answer is server-sent events.")
            .Accepts<ImagesRequest>("application/json").ProducesOpenAIErrors(400, 401, 404, 409, 413, 415, 422, 429, 500, 503, 504);
        images.MapGet("/files/{job}/{file}", FileAsync).WithName("getImageFile").AllowEveryone()
            .WithSummary("A picture by its link")
            .WithDescription("The links of answers with response_format 'url'. They need no key, can't be guessed and work for an hour.").ProducesOpenAIErrors(404, 503).Produces(200, typeof(Stream), "image/png", "image/jpeg", "image/webp");
    }

    static async Task<Results<ImagesAnswer, ImagesStream, Refusal>> GenerateAsync(HttpContext context, Door door, Waiters waiters)
    {
        var (body, entry) = await door.EnterAsync(context, ApiJson.Default.ImagesRequest, static (parser, body, card, origin) => parser.Parse(body, card, origin));
        if (entry.Error is { } error)
            return (Refusal)error;
        var asked = new ImagesQuestion(entry.JobId!, body!.ResponseFormat == "url", body.Quality, entry.Warnings);
        if (body.Stream == true)
            return new ImagesStream(asked, body.PartialImages ?? 0);
        if (await waiters.WaitAsync(entry, context.RequestAborted) is not var (job, pictures))
            return (Refusal)ApiError.NotFound("job");
        if (job.State != JobState.Succeeded)
            return (Refusal)Failure(job);
        return new ImagesAnswer(asked, job, pictures);
    }

    static async Task<Results<FileContentHttpResult, Refusal>> FileAsync(string job, string file, JobQueue queue, PictureLinks links, TimeProvider time, HttpContext context)
    {
        var name = file.Split('.');
        if (!JobIds.IsWellFormed(job) || name.Length != 2 || !int.TryParse(name[0], out var index) || index is < 0 or >= Limits.MaxCount
            || await queue.FindAsync(job, context.RequestAborted) is not { } snapshot
            || !links.Work(snapshot, time.GetUtcNow()) || name[1] != PictureLinks.Extension(snapshot.Job.Format))
        {
            return (Refusal)ApiError.NotFound("picture");
        }

        return await PictureFiles.AnswerAsync(queue, context, snapshot, index);
    }

    /// <summary>Why a job that has ended has no pictures.</summary>
    internal static ApiError Failure(JobSnapshot job)
    {
        if (job.State == JobState.Cancelled)
            return ApiError.Cancelled;
        var error = job.Pictures.Select(picture => picture.Error).FirstOrDefault(error => error is not null);
        return error is null ? ApiError.Internal : ApiError.From(error);
    }
}

/// <summary>What the client of the images API asked for, beside the picture itself.</summary>
/// <param name="JobId">The job.</param>
/// <param name="AsLinks">Whether it wants links.</param>
/// <param name="Quality">The word it used.</param>
/// <param name="Warnings">What had no effect.</param>
public sealed record ImagesQuestion(string JobId, bool AsLinks, string? Quality, IReadOnlyList<string> Warnings)
{
    /// <summary>The quality as OpenAI's answers name it.</summary>
    public string AnsweredQuality => Quality switch { "low" => "low", "high" or "hd" => "high", _ => "medium" };
}
