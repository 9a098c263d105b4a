namespace Muse.Queue;

/// <summary>Identifies repeated requests.</summary>
/// <param name="Key">The caller's <c>Idempotency-Key</c>, or a hash of its request where only a retry header marks the retry.</param>
/// <param name="RequestHash">A hash of the request's body. Another body under the same key is rejected.</param>
/// <param name="Window">How long the key is stored.</param>
/// <param name="FirstTry">
/// Whether the request is marked as no retry. Then the key is stored, but never answered with an earlier job.
/// </param>
public sealed record IdempotencyToken(string Key, string RequestHash, TimeSpan Window, bool FirstTry = false);
