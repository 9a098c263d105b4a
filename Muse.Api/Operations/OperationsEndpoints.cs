using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>What operators see and do.</summary>
public static class OperationsEndpoints
{
    /// <summary>Maps <c>/v1/ops</c> and <c>/metrics</c>.</summary>
    public static void MapOperations(this WebApplication app)
    {
        var operations = app.MapGroup("/v1/ops").WithTags("Operations").RequireOperator().ProducesProblems(401, 403, 503);
        operations.MapGet("/stream", (OperationsFeed feed) => new OperationsStream(feed)).WithName("watchOperations")
            .WithSummary("The system, live").WithDescription("Server-sent events: 'history' with the last hour once, then 'now' every second.");
        operations.MapGet("/dead-letters", DeadLettersAsync).WithName("listDeadLetters").ProducesProblems(400).WithSummary("Pictures that were given up, newest first");
        operations.MapPost("/dead-letters/{id}/requeue", RequeueAsync).WithName("requeueDeadLetter").ProducesProblems(404).WithSummary("Have a given-up picture tried again");
        var metrics = app.MapPrometheusScrapingEndpoint("/metrics");
        // A scraper can send a key as a bearer token; where keys are off there is none to send.
        if (app.Services.GetRequiredService<ApiKeys>().AreOn)
            metrics.RequireOperator();
        else
            metrics.AllowEveryone();
    }

    static async Task<Results<Ok<OperationsDeadLetters>, Refusal>> DeadLettersAsync(DeadLetters letters, CancellationToken cancellation, [Description("Letters to list, 1 to 1,000.")] string? limit = null)
    {
        var count = 100;
        if (limit is not null && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > 1000))
            return (Refusal)ApiError.Invalid("limit", "'limit' must be a whole number from 1 to 1000.");
        var found = await letters.ListAsync(count, cancellation);
        return TypedResults.Ok(new OperationsDeadLetters("list", [.. found.Select(OperationsFeed.Show)]));
    }

    static async Task<Results<NoContent, Refusal>> RequeueAsync(string id, DeadLetters letters, CancellationToken cancellation) =>
        id.Length <= 64 && id.All(c => char.IsAsciiDigit(c) || c == '-') && await letters.RequeueAsync(id, cancellation)
            ? TypedResults.NoContent()
            : (Refusal)new ApiError(404, "not_found", "There is no such dead letter, or its job has expired.");
}
