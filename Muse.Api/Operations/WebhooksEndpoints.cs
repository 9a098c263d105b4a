using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The operators' view of webhooks that could not be delivered.</summary>
public static class WebhooksEndpoints
{
    /// <summary>Maps <c>/v1/ops/webhooks</c>.</summary>
    public static void MapWebhooks(this IEndpointRouteBuilder routes)
    {
        var webhooks = routes.MapGroup("/v1/ops/webhooks").WithTags("Operations").RequireOperator().ProducesProblems(401, 403, 503);
        webhooks.MapGet("", ListAsync).WithName("listFailedWebhooks")
            .WithSummary("Webhooks that could not be delivered so far, oldest first");
        webhooks.MapPost("/{id}/resend", ResendAsync).WithName("resendWebhook").ProducesProblems(404)
            .WithSummary("Try a webhook again, from the beginning of its schedule");
    }

    static async Task<Ok<FailedWebhookList>> ListAsync(PendingWebhooks pending, CancellationToken cancellation) =>
        TypedResults.Ok(new FailedWebhookList("list", [.. (await pending.ListAsync(cancellation)).Select(Show)]));

    static async Task<Results<NoContent, ApiErrorResult>> ResendAsync(string id, PendingWebhooks pending, CancellationToken cancellation)
    {
        if ((await pending.ListAsync(cancellation)).FirstOrDefault(delivery => delivery.MessageId == id) is not { } delivery)
            return (ApiErrorResult)new ApiError(404, "not_found", "There is no such webhook, or it has been delivered.");
        await pending.ResendAsync(delivery, cancellation);
        return TypedResults.NoContent();
    }

    static FailedWebhook Show(WebhookDelivery delivery) => new(delivery.MessageId, delivery.Address.Host, delivery.Tries, delivery.FirstTry,
        delivery.Error, delivery.GivenUp ? "given_up" : "retrying");
}

/// <summary>Webhooks that could not be delivered so far.</summary>
/// <param name="Object">Always list.</param>
/// <param name="Data">The webhooks.</param>
public sealed record FailedWebhookList(string Object, IReadOnlyList<FailedWebhook> Data);

/// <summary>A webhook that could not be delivered so far.</summary>
/// <param name="Id">Its <c>webhook-id</c>, for resending.</param>
/// <param name="Host">The host that it goes to.</param>
/// <param name="Tries">How often it was tried.</param>
/// <param name="FirstTry">When it was tried first.</param>
/// <param name="Error">Why the latest try failed.</param>
/// <param name="State">retrying or given_up.</param>
public sealed record FailedWebhook(string Id, string Host, int Tries, DateTimeOffset FirstTry, string Error, string State);
