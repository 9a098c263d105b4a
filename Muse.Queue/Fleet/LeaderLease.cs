namespace Muse.Queue;

/// <summary>
/// The lease that makes one of several autoscalers the leader. At most one process holds it at a time, by the clock of Redis.
/// </summary>
/// <param name="Holder">The leader's name, unique to its process.</param>
/// <param name="Epoch">Rises with every change of the leader, and when a leader takes the lease again after it had expired.</param>
public sealed record LeaderLease(string Holder, long Epoch)
{
    /// <summary>What Redis stores while the lease is held; <c>lead.lua</c> writes the same.</summary>
    internal string Value => $"{Epoch} {Holder}";
}
