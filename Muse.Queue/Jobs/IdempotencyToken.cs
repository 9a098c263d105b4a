namespace Muse.Queue;

/// <summary>Identifies repeated requests.</summary>
/// <param name="Key">Unique to the caller: a hash of its <c>Idempotency-Key</c>.</param>
/// <param name="RequestHash">A hash of the request's body. Another body under the same key is rejected.</param>
/// <param name="Window">How long the key is stored.</param>
public sealed record IdempotencyToken(string Key, string RequestHash, TimeSpan Window);
