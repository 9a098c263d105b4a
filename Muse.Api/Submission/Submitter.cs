using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>What became of a submission: the job to wait for, or the error to answer with.</summary>
/// <param name="JobId">The job.</param>
/// <param name="IsRepeat">Whether it is one that was accepted before.</param>
/// <param name="Error">Why there is none.</param>
public readonly record struct Submission(string? JobId, bool IsRepeat, ApiError? Error);

/// <summary>Puts parsed jobs into the queue, and recognises requests that come twice.</summary>
/// <remarks>A request is known again by its <c>Idempotency-Key</c>; or, as the official Node and Python clients send none, by <c>x-stainless-retry-count</c>: a retry of the same caller with the same body within a short window.</remarks>
public sealed class Submitter(JobQueue queue, IOptions<ApiOptions> options)
{
    const int MaxKeyLength = 255;
    const string RetryCount = "x-stainless-retry-count";

    /// <summary>Whether a request says anything of being known again, so that its body's hash is needed.</summary>
    public static bool NeedsHash(HttpRequest request) => request.Headers.ContainsKey("Idempotency-Key") || request.Headers.ContainsKey(RetryCount);

    /// <summary>Submits the job.</summary>
    /// <param name="job">The job.</param>
    /// <param name="request">The request that asks for it.</param>
    /// <param name="bodyHash">Its body's hash, where <see cref="NeedsHash"/> says so.</param>
    public async Task<Submission> SubmitAsync(ImageJob job, HttpRequest request, string? bodyHash)
    {
        var idempotency = Recognise(job.Owner, request, bodyHash, out var fault);
        if (fault is not null)
            return new(null, false, fault);
        var outcome = await queue.SubmitAsync(job, idempotency, request.HttpContext.RequestAborted);
        // A retry may find that its first try was cancelled when that connection broke: then it counts as new.
        if (outcome is SubmitOutcome.Duplicate { JobId: var earlier } && !request.Headers.ContainsKey("Idempotency-Key")
            && await queue.FindAsync(earlier, request.HttpContext.RequestAborted) is null or { State: JobState.Cancelled })
        {
            outcome = await queue.SubmitAsync(job, null, request.HttpContext.RequestAborted);
        }

        return outcome switch
        {
            SubmitOutcome.Accepted accepted => new(accepted.JobId, false, null),
            SubmitOutcome.Duplicate duplicate => new(duplicate.JobId, true, null),
            SubmitOutcome.KeyReused => new(null, false, ApiError.KeyReused),
            SubmitOutcome.QueueFull full => new(null, false, ApiError.QueueFull(full.RetryAfter, full.EstimatedWait)),
            _ => throw new InvalidOperationException($"Unknown outcome {outcome.GetType().Name}."),
        };
    }

    IdempotencyToken? Recognise(string owner, HttpRequest request, string? bodyHash, out ApiError? fault)
    {
        fault = null;
        if (bodyHash is null)
            return null;
        if (request.Headers.TryGetValue("Idempotency-Key", out var keys))
        {
            if (keys is not [{ Length: > 0 and <= MaxKeyLength } key])
            {
                fault = ApiError.Invalid("Idempotency-Key", $"'Idempotency-Key' must have 1 to {MaxKeyLength} characters, once.");
                return null;
            }
            return new(Hash($"key\n{owner}\n{key}"), Hash($"{request.Path}\n{bodyHash}"), options.Value.IdempotencyWindow);
        }
        var content = Hash($"retry\n{owner}\n{request.Path}\n{bodyHash}");
        // A first try is always new, even if the same was asked for before; it is remembered for its own retries.
        return new(content, content, options.Value.RetryWindow, FirstTry: request.Headers[RetryCount] is ["0"]);
    }

    static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
