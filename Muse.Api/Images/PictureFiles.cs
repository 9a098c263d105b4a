using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The file of a completed picture. A picture never changes, so its ETag is its name.</summary>
static class PictureFiles
{
    public static async Task<Results<FileContentHttpResult, StatusCodeHttpResult, ApiErrorResult>> GetAsync(JobQueue queue,
        HttpContext context, JobSnapshot job, int index)
    {
        if (index < 0 || index >= job.Pictures.Count)
            return (ApiErrorResult)new ApiError(404, "not_found", $"The job has pictures 0 to {job.Pictures.Count - 1}.");
        var state = job.Pictures[index].State;
        if (!state.IsFinal())
            return (ApiErrorResult)new ApiError(404, "not_painted_yet", "The picture is not completed yet. Its job tells when it is.");
        if (state != JobState.Succeeded)
            return (ApiErrorResult)ApiError.NotFound("picture");
        var tag = new EntityTagHeaderValue($"\"{job.Job.Id}.{index}\"");
        if (IsKnown(context.Request, tag))
        {
            // Without reading the picture from Redis.
            SetCaching(context.Response);
            context.Response.Headers.ETag = tag.ToString();
            return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        }

        if (await queue.FindPictureAsync(job.Job.Id, index, context.RequestAborted) is not { } picture)
            return (ApiErrorResult)ApiError.NotFound("picture");
        SetCaching(context.Response);
        return TypedResults.Bytes(picture.Bytes, PictureLinks.MediaType(picture.Format), enableRangeProcessing: true,
            lastModified: job.FinishedAt, entityTag: tag);
    }

    static bool IsKnown(HttpRequest request, EntityTagHeaderValue tag) =>
        EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var known)
        && known.Any(each => each.Equals(EntityTagHeaderValue.Any) || each.Compare(tag, useStrongComparison: false));

    static void SetCaching(HttpResponse response) => response.Headers.CacheControl = "private, max-age=3600, immutable";
}
