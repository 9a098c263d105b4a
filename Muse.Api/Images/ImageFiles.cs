using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The file of a completed image. An image never changes, so its ETag is its name.</summary>
static class ImageFiles
{
    public static async Task<Results<FileContentHttpResult, StatusCodeHttpResult, ApiErrorResult>> GetAsync(JobQueue queue,
        HttpContext context, JobSnapshot job, int index)
    {
        if (index < 0 || index >= job.Images.Count)
            return (ApiErrorResult)new ApiError(404, "not_found", $"The job has images 0 to {job.Images.Count - 1}.");
        var state = job.Images[index].State;
        if (!state.IsFinal())
            return (ApiErrorResult)new ApiError(404, "not_painted_yet", "The image is not completed yet. Its job tells when it is.");
        if (state != JobState.Succeeded)
            return (ApiErrorResult)ApiError.NotFound("image");
        var tag = new EntityTagHeaderValue($"\"{job.Job.Id}.{index}\"");
        if (IsKnown(context.Request, tag))
        {
            // Without reading the image from Redis.
            SetCaching(context.Response);
            context.Response.Headers.ETag = tag.ToString();
            return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        }

        if (await queue.FindImageAsync(job.Job.Id, index, context.RequestAborted) is not { } image)
            return (ApiErrorResult)ApiError.NotFound("image");
        context.Response.RegisterForDispose(image);
        SetCaching(context.Response);
        return TypedResults.Bytes(image.Bytes, ImageLinks.MediaType(image.Format), enableRangeProcessing: true,
            lastModified: job.FinishedAt, entityTag: tag);
    }

    static bool IsKnown(HttpRequest request, EntityTagHeaderValue tag) =>
        EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var known)
        && known.Any(each => each.Equals(EntityTagHeaderValue.Any) || each.Compare(tag, useStrongComparison: false));

    static void SetCaching(HttpResponse response) => response.Headers.CacheControl = "private, max-age=3600, immutable";
}
