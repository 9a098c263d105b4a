using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>OpenAI's images API.</summary>
public static class ImagesEndpoints
{
    /// <summary>Maps <c>POST /v1/images/generations</c> and <c>/edits</c>, and the links of their responses.</summary>
    public static void MapImages(this IEndpointRouteBuilder routes)
    {
        var images = routes.MapGroup("/v1/images").WithTags("Images");
        images.MapPost("/generations", GenerateAsync).WithName("createImage").RequireCaller().RequireRateLimiting(RateLimits.OpenRequests)
            .WithSummary("Generate images and wait for them")
            .WithDescription("OpenAI's images API. The connection stays open until the images are completed. "
                + "A client that disconnects cancels them. With 'stream' the response is server-sent events.")
            .Accepts<ImagesRequest>("application/json").ProducesOpenAIErrors(400, 401, 404, 409, 413, 415, 422, 429, 500, 503, 504);
        images.MapPost("/edits", EditAsync).WithName("createImageEdit").RequireCaller().RequireRateLimiting(RateLimits.OpenRequests)
            .AcceptsInputImages(routes.ServiceProvider).DisableAntiforgery()
            .WithSummary("Edit an image and wait for the result")
            .WithDescription("OpenAI's edits, as JSON or as multipart/form-data. Without a mask the whole image is generated anew, as far "
                + "from it as 'strength' says. With a mask, all other pixels stay as they are.")
            .Accepts<EditsRequest>("application/json", "multipart/form-data")
            .ProducesOpenAIErrors(400, 401, 404, 409, 413, 415, 422, 429, 500, 503, 504);
        images.MapGet("/files/{job}/{file}", FileAsync).WithName(RouteNames.GetImageFile).AllowAnonymous()
            .RequireRateLimiting(RateLimits.OpenRequests)
            .WithSummary("An image by its link")
            .WithDescription("The links of responses with response_format 'url'. They need no key, can't be guessed and work for an hour.")
            .ProducesOpenAIErrors(404, 503).Produces(200, typeof(Stream), "image/png", "image/jpeg", "image/webp");
    }

    static async Task<Results<ImagesResponse, ImagesStream, ApiErrorResult>> GenerateAsync(HttpContext context, JobSubmission submission,
        WaitingConnections connections, ModelNames models)
    {
        var (body, result) = await submission.SubmitAsync(context, ApiJson.Default.ImagesRequest,
            static (parser, body, card, origin) => parser.Parse(body, card, origin));
        return await RespondAsync(context, body!, result, "image_generation", connections, models);
    }

    static async Task<Results<ImagesResponse, ImagesStream, ApiErrorResult>> EditAsync(HttpContext context, JobSubmission submission,
        RequestInputs inputs, WaitingConnections connections, ModelNames models)
    {
        var body = EditsForm.Is(context.Request)
            ? await EditsForm.ReadAsync(context.Request, context.RequestAborted)
            : await RequestBody.ReadAsync(context.Request, ApiJson.Default.EditsRequest, RequestIdentity.NeedsHash(context.Request));
        if (body.Value is not { } edits)
            return (ApiErrorResult)body.Error!;
        var (input, error) = await inputs.ReadAsync(edits, required: true, context.RequestAborted);
        if (error is not null)
            return (ApiErrorResult)error;
        var result = await submission.SubmitAsync(context, edits, body.Hash,
            (parser, fields, card, origin) => parser.Parse(fields, card, origin, input));
        return await RespondAsync(context, edits, result, "image_edit", connections, models);
    }

    static async Task<Results<ImagesResponse, ImagesStream, ApiErrorResult>> RespondAsync(HttpContext context, ImagesRequest body,
        SubmissionResult result, string eventPrefix, WaitingConnections connections, ModelNames models)
    {
        if (result is not SubmissionResult.Accepted accepted)
            return (ApiErrorResult)((SubmissionResult.Rejected)result).Error;
        var request = new ImagesRequestContext(accepted, WantsLinks(body), models.Served, body.Quality, eventPrefix);
        if (body.Stream == true)
            return new ImagesStream(request, body.PartialImages ?? 0);
        if (await connections.WaitAsync(accepted, context) is not var (job, images))
            return (ApiErrorResult)ApiError.NotFound("job");
        if (job.State != JobState.Succeeded)
            return (ApiErrorResult)ApiError.From(job);
        return new ImagesResponse(request, job, images);
    }

    /// <summary>Whether the images are to be links. As in OpenAI's API they are for the models dall-e, unless asked otherwise.</summary>
    static bool WantsLinks(ImagesRequest body) =>
        body.ResponseFormat is null or ""
            ? body.Model?.StartsWith("dall-e-", StringComparison.Ordinal) == true
            : body.ResponseFormat == "url";

    static async Task<Results<FileContentHttpResult, StatusCodeHttpResult, ApiErrorResult>> FileAsync(string job, string file,
        JobQueue queue, ImageLinks links, HttpContext context, string? expires = null, string? signature = null)
    {
        // The signature first: a link that was made up costs no call to Redis.
        if (!links.IsValid(job, file, expires, signature)
            || !int.TryParse(file.Split('.')[0], out var index)
            || await queue.FindAsync(job, context.RequestAborted) is not { } snapshot)
        {
            return (ApiErrorResult)ApiError.NotFound("image");
        }

        return await ImageFiles.GetAsync(queue, context, snapshot, index);
    }
}
