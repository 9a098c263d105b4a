using Muse.Queue;

namespace Muse.Api;

/// <summary>Why a request is refused or has failed. <see cref="ApiErrorResult"/> turns it into a response.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">A stable word for programs.</param>
/// <param name="Message">A sentence for a person: what was wrong and what is allowed.</param>
/// <param name="Field">The wrong field of the request, where there is one.</param>
/// <param name="RetryAfter">How long to wait before a retry; null where a retry does not help.</param>
public sealed record ApiError(int Status, string Code, string Message, string? Field = null, TimeSpan? RetryAfter = null)
{
    /// <summary>A field has a value that is not allowed.</summary>
    public static ApiError Invalid(string? field, string message) => new(400, "invalid_request", message, field);

    /// <summary>The prompt contains a word that the operator refuses.</summary>
    public static ApiError RefusedWord(string field) =>
        new(400, "content_policy_violation", $"'{field}' contains a word that the operator of this server does not allow.", field);

    /// <summary>There is no such resource, or it belongs to another caller. The message does not tell which.</summary>
    public static ApiError NotFound(string what) =>
        new(404, "not_found", $"There is no such {what}: it never existed, has expired, or is not yours.");

    /// <summary>There is no such route.</summary>
    public static ApiError NoRoute(HttpRequest request)
    {
        var path = $"{request.PathBase}{request.Path}";
        return new(404, "not_found", $"There is no {request.Method} {(path.Length <= 100 ? path : path[..100] + "…")} here.");
    }

    /// <summary>A page of another origin sent a request without a key.</summary>
    public static readonly ApiError ForeignOrigin = new(403, "foreign_origin",
        "Pages of other origins may not use this server without a key. Its operator can allow their origin in Api:AllowedOrigins.");

    /// <summary>Keys are on, and the request has none that is known.</summary>
    public static readonly ApiError Unauthorized =
        new(401, "invalid_api_key", "This server requires an API key. Send it as 'Authorization: Bearer KEY'.");

    /// <summary>Only an operator may do this.</summary>
    public static readonly ApiError OperatorsOnly =
        new(403, "operators_only", "This requires an operator's API key. Where keys are off, only direct connections from the server's "
            + "own machine may do it.");

    /// <summary>The body is larger than the server reads.</summary>
    /// <param name="limit">What it reads, bytes.</param>
    public static ApiError TooLarge(long limit) => new(413, "body_too_large", $"The body is larger than {limit >> 20} MB.");

    /// <summary>The caller sends more requests than its rate limit allows.</summary>
    public static ApiError RateLimited(TimeSpan retryAfter) =>
        new(429, "rate_limit_exceeded", "You have reached your rate limit. Try again after the time in Retry-After.",
            RetryAfter: retryAfter);

    /// <summary>The caller keeps more requests open than its limit allows.</summary>
    public static readonly ApiError TooManyOpenRequests = new(429, "too_many_open_requests",
        "You have too many open requests. Close some, or try again after the time in Retry-After.", RetryAfter: TimeSpan.FromSeconds(5));

    /// <summary>The queue is longer than the workers can complete in time.</summary>
    public static ApiError QueueFull(TimeSpan retryAfter, TimeSpan estimatedWait) => new(429, "queue_full",
        $"The queue is full: an image would wait about {Math.Ceiling(estimatedWait.TotalSeconds):0} s. Try again after the time in "
            + $"Retry-After.",
        RetryAfter: retryAfter);

    /// <summary>No worker has announced the model yet. Its sizes are needed for a request with an input image.</summary>
    public static readonly ApiError NoModelYet = new(503, "model_not_ready",
        "No worker has announced the model yet, so the size of the images can't be chosen. Try again shortly.",
        RetryAfter: TimeSpan.FromSeconds(5));

    /// <summary>Redis can't be reached.</summary>
    public static readonly ApiError QueueUnavailable = new(503, "queue_unavailable",
        "The queue can't be reached at the moment. Jobs that were accepted before are kept. Try again shortly.",
            RetryAfter: TimeSpan.FromSeconds(2));

    /// <summary>The object store can't be reached.</summary>
    public static readonly ApiError StoreUnavailable = new(503, "store_unavailable",
        "The images can't be reached at the moment. They are kept. Try again shortly.", RetryAfter: TimeSpan.FromSeconds(2));

    /// <summary>Not enough replicas of Redis have the job.</summary>
    public static readonly ApiError NotReplicated = new(503, "not_replicated",
        "Not enough replicas of the queue have confirmed the job in time. Try again shortly: with the same Idempotency-Key, a job that was "
            + "accepted all the same is found.", RetryAfter: TimeSpan.FromSeconds(2));

    /// <summary>An unexpected exception. The log has it under the request's id.</summary>
    public static readonly ApiError Internal =
        new(500, "internal_error", "The server failed on this request. Its log has the reason under the id in x-request-id.");

    /// <summary>An idempotency key was sent again with another request.</summary>
    public static readonly ApiError KeyReused =
        new(422, "idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new key for a new request.",
            "Idempotency-Key");

    /// <summary>The job was cancelled while a client waited for it.</summary>
    public static readonly ApiError Cancelled = new(409, "cancelled", "The job was cancelled before it was completed.");

    /// <summary>The error of a job that has failed.</summary>
    public static ApiError From(JobError error) => error.Code switch
    {
        JobErrorCodes.InvalidRequest => new(400, error.Code, error.Message, error.Field),
        JobErrorCodes.DeadlineExceeded => new(504, error.Code, error.Message, error.Field),
        _ => new(500, error.Code, error.Message, error.Field),
    };

    /// <summary>The error of a job that has ended without all of its images.</summary>
    public static ApiError From(JobSnapshot job)
    {
        if (job.State == JobState.Cancelled)
            return Cancelled;
        var error = job.Images.Select(image => image.Error).FirstOrDefault(error => error is not null);
        return error is null ? Internal : From(error);
    }

    /// <summary>The error for a response that has a status and no body.</summary>
    public static ApiError From(HttpContext context) => context.Response.StatusCode switch
    {
        400 => new(400, "bad_request", "The request can't be read."),
        404 => NoRoute(context.Request),
        405 => new(405, "method_not_allowed", $"{context.Request.Method} is not allowed here. Allowed: {context.Response.Headers.Allow}."),
        413 => TooLarge(RequestBody.LimitOf(context)),
        415 => new(415, "unsupported_media_type", "Send the body as 'Content-Type: application/json' in UTF-8."),
        var status => new(status, "error", Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status)),
    };
}
