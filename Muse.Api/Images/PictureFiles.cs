using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The file of a completed picture. A picture never changes, so its ETag is its name.</summary>
static class PictureFiles
{
    public static async Task<Results<FileContentHttpResult,
        ApiErrorResult>> GetAsync(JobQueue queue, HttpContext context, JobSnapshot job, int index)
    {
        if (index < 0 || index >= job.Pictures.Count)
            return (ApiErrorResult)new ApiError(404, "not_found", $"The job has pictures 0 to {job.Pictures.Count - 1}.");
        var state = job.Pictures[index].State;
        if (!state.IsFinal())
            return (ApiErrorResult)new ApiError(404, "not_painted_yet", "The picture is not completed yet. Its job tells when it is.");
        if (state != JobState.Succeeded || await queue.FindPictureAsync(job.Job.Id, index, context.RequestAborted) is not { } picture)
            return (ApiErrorResult)ApiError.NotFound("picture");
        context.Response.Headers.CacheControl = "private, max-age=3600, immutable";
        return TypedResults.Bytes(picture.Bytes, PictureLinks.MediaType(picture.Format), enableRangeProcessing: true,
            lastModified: job.FinishedAt, entityTag: new EntityTagHeaderValue($"\"{job.Job.Id}.{index}\""));
    }
}
