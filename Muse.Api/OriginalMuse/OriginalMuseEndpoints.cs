using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The routes of the Muse of 2022, so that what was written for it keeps working.</summary>
public static class OriginalMuseEndpoints
{
    /// <summary>The CORS policy's name: as the original had it, any page may call these routes.</summary>
    public const string AnyOrigin = "original-muse";

    /// <summary>Maps <c>/api/predict</c>, <c>/api/surprise-me</c>, <c>/num-requests</c>, <c>/system/info</c> and <c>/api/health</c>.</summary>
    public static void MapOriginalMuse(this IEndpointRouteBuilder routes)
    {
        var muse = routes.MapGroup("").WithTags("Original Muse").RequireCors(AnyOrigin);
        muse.MapPost("/api/predict", PredictAsync).WithName("predict").RequireCaller().RequireRateLimiting(RateLimits.Submissions)
            .WithSummary("Paint a picture").WithDescription("25 steps, 50 with high_quality. The prompt \"surprise me\" paints a random one.")
            .Accepts<PredictRequest>("application/json").Produces<PredictAnswer>().ProducesProblems(400, 401, 409, 413, 415, 422, 429, 500, 503, 504);
        muse.MapPost("/api/surprise-me", SurpriseAsync).WithName("surpriseMe").RequireCaller().RequireRateLimiting(RateLimits.Submissions)
            .WithSummary("Paint a picture of a random prompt").Produces<PredictAnswer>().ProducesProblems(401, 409, 429, 500, 503, 504);
        muse.MapGet("/num-requests", (PredictCounter counter) => TypedResults.Ok(counter.Current)).WithName("numRequests").AllowEveryone()
            .WithSummary("Requests for pictures that wait for an answer now");
        muse.MapGet("/system/info", InfoAsync).WithName("systemInfo").RequireCaller().WithSummary("Workers and requests").ProducesProblems(401, 503);
        muse.MapGet("/api/health", () => TypedResults.Ok(true)).WithName("apiHealth").AllowEveryone().WithSummary("Whether the API runs");
    }

    static async Task<IResult> PredictAsync(HttpContext context, Door door, Waiters waiters, PredictCounter counter)
    {
        using var counted = counter.Begin();
        var (_, entry) = await door.EnterAsync(context, ApiJson.Default.PredictRequest, static (parser, body, card, origin) => parser.Parse(body, card, origin));
        return await AnswerAsync(context, waiters, entry);
    }

    static async Task<IResult> SurpriseAsync(HttpContext context, Door door, Waiters waiters, PredictCounter counter)
    {
        using var counted = counter.Begin();
        var entry = await door.EnterAsync(context, new PredictRequest { Prompt = Surprises.Pick() }, null, static (parser, body, card, origin) => parser.Parse(body, card, origin));
        return await AnswerAsync(context, waiters, entry);
    }

    static async Task<IResult> AnswerAsync(HttpContext context, Waiters waiters, Entry entry)
    {
        if (entry.Error is { } error)
            return (Refusal)error;
        if (await waiters.WaitAsync(entry, context.RequestAborted) is not var (job, pictures))
            return (Refusal)ApiError.NotFound("job");
        return job.State == JobState.Succeeded && pictures[0] is { } picture ? new DataUrlAnswer(picture) : (Refusal)ImagesEndpoints.Failure(job);
    }

    static async Task<Ok<SystemInfo>> InfoAsync(Fleet fleet, PredictCounter counter, CancellationToken cancellation)
    {
        var workers = await fleet.WorkersAsync(cancellation);
        return TypedResults.Ok(new SystemInfo(workers.Count, [.. workers.Select(worker => worker.Worker)], counter.Current, counter.LastSeconds, counter.Total));
    }

    /// <summary>The picture as a data URL.</summary>
    sealed class DataUrlAnswer(StoredPicture picture) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.ContentType = "application/json";
            await using var json = new Utf8JsonWriter(httpContext.Response.BodyWriter);
            json.WriteStartObject();
            json.WriteString("image", $"data:{PictureLinks.MediaType(picture.Format)};base64,{Convert.ToBase64String(picture.Bytes.Span)}");
            json.WriteEndObject();
        }
    }
}

/// <summary>The original's answer.</summary>
/// <param name="Image">A data URL.</param>
public sealed record PredictAnswer(string Image);

/// <summary>The original's facts about itself.</summary>
/// <param name="NumWorkers">Workers heard of in the last 15 s.</param>
/// <param name="Servers">Their names.</param>
/// <param name="NumRequests">Requests to its routes that wait for an answer now, in this process.</param>
/// <param name="ProcessTime">Seconds that the latest such request took.</param>
/// <param name="GlobalRequestCount">Such requests since this process started.</param>
public sealed record SystemInfo(int NumWorkers, IReadOnlyList<string> Servers, int NumRequests, int ProcessTime, long GlobalRequestCount);

/// <summary>Counts requests to the original's routes, as it counted them itself.</summary>
public sealed class PredictCounter(TimeProvider time)
{
    readonly TimeProvider time = time;
    int current;
    long total;
    long lastSeconds;

    /// <summary>Under way now.</summary>
    public int Current => Volatile.Read(ref current);
    /// <summary>Ever.</summary>
    public long Total => Volatile.Read(ref total);
    /// <summary>How long the latest took, whole seconds.</summary>
    public int LastSeconds => (int)Volatile.Read(ref lastSeconds);

    /// <summary>Counts one in; dispose to count it out.</summary>
    public IDisposable Begin()
    {
        Interlocked.Increment(ref current);
        Interlocked.Increment(ref total);
        return new Counted(this, time.GetTimestamp());
    }

    sealed class Counted(PredictCounter counter, long began) : IDisposable
    {
        public void Dispose()
        {
            Interlocked.Decrement(ref counter.current);
            Volatile.Write(ref counter.lastSeconds, (long)counter.time.GetElapsedTime(began).TotalSeconds);
        }
    }
}
