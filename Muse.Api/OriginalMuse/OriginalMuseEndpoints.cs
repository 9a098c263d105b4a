using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The routes of the Muse of 2022, so that its clients keep working.</summary>
public static class OriginalMuseEndpoints
{
    /// <summary>The name of the CORS policy. As in the original, any page may call these routes.</summary>
    public const string AnyOrigin = "original-muse";

    /// <summary>
    /// Maps <c>/api/predict</c>, <c>/api/surprise-me</c>, <c>/num-requests</c>, <c>/system/info</c> and <c>/api/health</c>.
    /// </summary>
    public static void MapOriginalMuse(this IEndpointRouteBuilder routes)
    {
        var muse = routes.MapGroup("").WithTags("Original Muse").RequireCors(AnyOrigin);
        muse.MapPost("/api/predict", PredictAsync).WithName("predict").RequireCaller().RequireRateLimiting(RateLimits.OpenRequests)
            .WithSummary("Generate an image")
            .WithDescription("25 steps, 50 with high_quality. The prompt \"surprise me\" stands for a random prompt.")
            .Accepts<PredictRequest>("application/json").Produces<PredictResponse>()
                .ProducesProblems(400, 401, 409, 413, 415, 422, 429, 500, 503, 504);
        muse.MapPost("/api/surprise-me", SurpriseAsync).WithName("surpriseMe").RequireCaller().RequireRateLimiting(RateLimits.OpenRequests)
            .WithSummary("Generate an image from a random prompt").Produces<PredictResponse>()
                .ProducesProblems(401, 409, 429, 500, 503, 504);
        muse.MapGet("/num-requests", (PredictCounter counter) => TypedResults.Ok(counter.Current)).WithName("numRequests").AllowAnonymous()
            .WithSummary("Requests for images that wait for a response now");
        muse.MapGet("/system/info", InfoAsync).WithName("systemInfo").RequireCaller().WithSummary("Workers and requests")
            .ProducesProblems(401, 503);
        muse.MapGet("/api/health", () => TypedResults.Ok(true)).WithName("apiHealth").AllowAnonymous().WithSummary("Whether the API runs");
    }

    static async Task<Results<DataUrlResult, ApiErrorResult>> PredictAsync(HttpContext context, JobSubmission submission,
        WaitingConnections connections, PredictCounter counter)
    {
        using var counted = counter.Begin();
        var (_, result) = await submission.SubmitAsync(context, ApiJson.Default.PredictRequest,
            static (parser, body, card, origin) => parser.Parse(body, card, origin));
        return await WaitAsync(context, connections, result);
    }

    static async Task<Results<DataUrlResult, ApiErrorResult>> SurpriseAsync(HttpContext context, JobSubmission submission,
        WaitingConnections connections, PredictCounter counter)
    {
        using var counted = counter.Begin();
        var request = new PredictRequest { Prompt = RandomPrompts.Next() };
        var result = await submission.SubmitAsync(context, request, null, static (parser, body, card, origin) =>
            parser.Parse(body, card, origin));
        return await WaitAsync(context, connections, result);
    }

    static async Task<Results<DataUrlResult, ApiErrorResult>> WaitAsync(HttpContext context, WaitingConnections connections,
        SubmissionResult result)
    {
        if (result is not SubmissionResult.Accepted accepted)
            return (ApiErrorResult)((SubmissionResult.Rejected)result).Error;
        if (await connections.WaitAsync(accepted, context) is not var (job, images))
            return (ApiErrorResult)ApiError.NotFound("job");
        return job.State == JobState.Succeeded && images[0] is { } image ? new DataUrlResult(image)
            : (ApiErrorResult)ApiError.From(job);
    }

    static async Task<Ok<SystemInfo>> InfoAsync(Fleet fleet, PredictCounter counter, CancellationToken cancellation)
    {
        var workers = await fleet.WorkersAsync(cancellation);
        return TypedResults.Ok(new SystemInfo(workers.Count, [.. workers.Select(worker => worker.Worker)], counter.Current,
            counter.LastSeconds, counter.Total));
    }

    /// <summary>The image as a data URL: <see cref="PredictResponse"/>.</summary>
    internal sealed class DataUrlResult(StoredImage image) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "application/json";
            await using var json = new Utf8JsonWriter(httpContext.Response.BodyWriter);
            json.WriteStartObject();
            json.WriteString("image", $"data:{ImageLinks.MediaType(image.Format)};base64,{Convert.ToBase64String(image.Bytes.Span)}");
            json.WriteEndObject();
        }
    }
}

/// <summary>The original's response.</summary>
/// <param name="Image">A data URL.</param>
public sealed record PredictResponse(string Image);

/// <summary>The original's system information.</summary>
/// <param name="NumWorkers">Workers with a heartbeat in the last 15 s.</param>
/// <param name="Servers">Their names.</param>
/// <param name="NumRequests">Requests to these routes that wait for a response now, in this process.</param>
/// <param name="ProcessTime">Seconds that the latest such request took.</param>
/// <param name="GlobalRequestCount">Such requests since this process started.</param>
public sealed record SystemInfo(int NumWorkers, IReadOnlyList<string> Servers, int NumRequests, int ProcessTime, long GlobalRequestCount);
