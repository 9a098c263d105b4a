namespace Muse.Queue;

/// <summary>
/// A job was submitted, and not enough replicas of Redis have confirmed it within <see cref="QueueOptions.WaitTimeout"/>. It may run, or be
/// lost if the master fails now.
/// </summary>
public sealed class ReplicationTimeoutException(string message) : QueueUnavailableException(message);
