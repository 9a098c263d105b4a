using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The operators' API.</summary>
public static class OperationsEndpoints
{
    /// <summary>Maps <c>/v1/ops</c> and <c>/metrics</c>.</summary>
    public static void MapOperations(this WebApplication app)
    {
        var operations = app.MapGroup("/v1/ops").WithTags("Operations").RequireOperator().ProducesProblems(401, 403, 503);
        operations.MapGet("/stream", (OperationsFeed feed) => new OperationsStream(feed)).WithName("watchOperations")
            .WithSummary("The system, live")
            .WithDescription("Server-sent events: 'history' with the last hour once, then 'now' every second.");
        operations.MapGet("/dead-letters", DeadLettersAsync).WithName("listDeadLetters").ProducesProblems(400)
            .WithSummary("Dead letters: images that were given up, newest first");
        operations.MapPost("/dead-letters/{id}/requeue", RequeueAsync).WithName("requeueDeadLetter").ProducesProblems(404)
            .WithSummary("Put a dead letter back into the queue");
        var metrics = app.MapPrometheusScrapingEndpoint("/metrics");
        // A scraper can send a key as a bearer token. Where keys are off, it has none.
        if (app.Services.GetRequiredService<ApiKeys>().Enabled)
            metrics.RequireOperator();
        else
            metrics.AllowAnonymous();
    }

    static async Task<Results<Ok<OperationsDeadLetters>, ApiErrorResult>> DeadLettersAsync(
        DeadLetters letters,
        CancellationToken cancellation,
        [Description("Letters to list, 1 to 1,000.")] string? limit = null)
    {
        var count = 100;
        if (limit is { Length: > 0 } && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count)
            || count is < 1 or > 1000))
        {
            return (ApiErrorResult)ApiError.Invalid("limit", "'limit' must be a whole number from 1 to 1000.");
        }

        var found = await letters.ListAsync(count, cancellation);
        return TypedResults.Ok(new OperationsDeadLetters("list", [.. found.Select(OperationsFeed.Show)]));
    }

    static async Task<Results<NoContent, ApiErrorResult>> RequeueAsync(string id, DeadLetters letters, CancellationToken cancellation) =>
        id.Length <= 64 && id.All(c => char.IsAsciiDigit(c) || c == '-') && await letters.RequeueAsync(id, cancellation)
            ? TypedResults.NoContent()
            : (ApiErrorResult)new ApiError(404, "not_found", "There is no such dead letter, or its job has expired.");
}
