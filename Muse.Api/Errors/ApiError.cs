using Muse.Queue;

namespace Muse.Api;

/// <summary>Why a request is refused or has failed, before it is known in which family's shape it is told.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Code">A stable word for programs.</param>
/// <param name="Message">A sentence for a person: what was wrong and what is allowed.</param>
/// <param name="Field">The request's field at fault, where there is one.</param>
/// <param name="RetryAfter">When trying again makes sense; null where it doesn't.</param>
public sealed record ApiError(int Status, string Code, string Message, string? Field = null, TimeSpan? RetryAfter = null)
{
    /// <summary>A field has a value that is not allowed.</summary>
    public static ApiError Invalid(string? field, string message) => new(400, "invalid_request", message, field);

    /// <summary>The prompt has a word that the operator refuses.</summary>
    public static ApiError RefusedWord(string field) =>
        new(400, "content_policy_violation", $"'{field}' has a word that this server's operator does not allow.", field);

    /// <summary>There is no such thing, or it is another caller's: the answer does not tell which.</summary>
    public static ApiError NotFound(string what) => new(404, "not_found", $"There is no such {what}: it never was, has expired, or is not yours.");

    /// <summary>Keys are on, and the request has none that is known.</summary>
    public static readonly ApiError Unauthorized =
        new(401, "invalid_api_key", "This server asks for an API key: send it as 'Authorization: Bearer KEY'.");

    /// <summary>Only an operator may do this.</summary>
    public static readonly ApiError OperatorsOnly =
        new(403, "operators_only", "This needs an operator's API key. Where keys are off, it is open to the server's own machine alone.");

    /// <summary>The body is larger than the server reads.</summary>
    public static readonly ApiError TooLarge = new(413, "body_too_large", "The body is larger than 1 MB.");

    /// <summary>The caller asks more often than it may.</summary>
    public static ApiError RateLimited(TimeSpan retryAfter) =>
        new(429, "rate_limit_exceeded", "You ask for pictures more often than this server allows. Try again after the time in Retry-After.", RetryAfter: retryAfter);

    /// <summary>The queue is longer than the server promises to work off in time.</summary>
    public static ApiError QueueFull(TimeSpan retryAfter, TimeSpan estimatedWait) => new(429, "queue_full",
        $"The queue is full: a picture would wait about {Math.Ceiling(estimatedWait.TotalSeconds):0} s. Try again after the time in Retry-After.", RetryAfter: retryAfter);

    /// <summary>Redis is away.</summary>
    public static readonly ApiError QueueAway =
        new(503, "queue_unavailable", "The queue can't be reached at the moment. Nothing is lost that was accepted before; try again shortly.", RetryAfter: TimeSpan.FromSeconds(2));

    /// <summary>Something that should not happen did; the log has it under the request's id.</summary>
    public static readonly ApiError Internal = new(500, "internal_error", "The server failed on this request. Its log has the reason under this request's id.");

    /// <summary>An idempotency key came again with another request.</summary>
    public static readonly ApiError KeyReused =
        new(422, "idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new key for a new request.", "Idempotency-Key");

    /// <summary>Why a job that has ended has no picture.</summary>
    public static ApiError From(JobError error) => error.Code switch
    {
        JobErrorCodes.InvalidRequest => new(400, error.Code, error.Message, error.Field),
        JobErrorCodes.DeadlineExceeded => new(504, error.Code, error.Message, error.Field),
        _ => new(500, error.Code, error.Message, error.Field),
    };

    /// <summary>The job was cancelled while somebody waited for it.</summary>
    public static readonly ApiError Cancelled = new(409, "cancelled", "The job was cancelled before it was painted.");
}
