using System.Security.Cryptography;
using System.Text;
using Muse.Queue;

namespace Muse.Api;

/// <summary>How a request is recognised when its client sends it again.</summary>
/// <remarks>
/// With an <c>Idempotency-Key</c>, all requests with that key are one job. The official Node and Python clients send none;
/// they send <c>x-stainless-retry-count</c>, and a retry is matched with an interrupted request of the same caller and body.
/// </remarks>
/// <param name="Idempotency">The token of the <c>Idempotency-Key</c>; null without that header.</param>
/// <param name="RetryHash">The hash of path and body where the client counts its retries; null where it does not.</param>
/// <param name="IsRetry">Whether the client says that this is not its first try.</param>
public sealed record RequestIdentity(IdempotencyToken? Idempotency, string? RetryHash, bool IsRetry)
{
    const int MaxKeyLength = 255;
    const string KeyHeader = "Idempotency-Key";
    const string RetryCountHeader = "x-stainless-retry-count";

    /// <summary>A request that can't be recognised again.</summary>
    public static readonly RequestIdentity None = new(null, null, false);

    /// <summary>Whether a lost connection ends the job: no retry can find it.</summary>
    public bool CancelOnDisconnect => Idempotency is null && RetryHash is null;

    /// <summary>Whether the identity of this request needs the hash of its body.</summary>
    public static bool NeedsHash(HttpRequest request) =>
        request.Headers.ContainsKey(KeyHeader) || request.Headers.ContainsKey(RetryCountHeader);

    /// <summary>Reads the identity from the headers.</summary>
    /// <param name="owner">The caller.</param>
    /// <param name="request">The request.</param>
    /// <param name="bodyHash">The hash of its body, where <see cref="NeedsHash"/> says so.</param>
    /// <param name="window">How long an <c>Idempotency-Key</c> is remembered.</param>
    /// <param name="error">What is wrong with a header, or null.</param>
    public static RequestIdentity Read(string owner, HttpRequest request, string? bodyHash, TimeSpan window, out ApiError? error)
    {
        error = null;
        if (bodyHash is null)
            return None;
        var content = Hash($"{request.Path}\n{bodyHash}");
        if (request.Headers.TryGetValue(KeyHeader, out var keys))
        {
            if (keys is [{ Length: > 0 and <= MaxKeyLength } key])
                return new(new(Hash($"key\n{owner}\n{key}"), content, window), null, false);
            error = ApiError.Invalid(KeyHeader, $"'{KeyHeader}' must have 1 to {MaxKeyLength} characters and be sent once.");
            return None;
        }

        return new(null, content, IsRetry: request.Headers[RetryCountHeader] is not ["0"]);
    }

    static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
