using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>
/// Jobs whose webhook is still to be called. Each is leased to one process, so that another takes over those of a process that died.
/// </summary>
/// <remarks>
/// A job with an <see cref="ImageJob.Webhook"/> is listed from its submission on, leased to the process that submits it.
/// Every method throws <see cref="QueueUnavailableException"/> while Redis is unavailable.
/// </remarks>
public sealed class PendingWebhooks
{
    /// <summary>Jobs that one call takes over at most.</summary>
    const int MaxTaken = 100;

    readonly QueueConnection connection;

    internal PendingWebhooks(QueueConnection connection) => this.connection = connection;

    /// <summary>How often to call <see cref="KeepAsync"/>: three times per lease.</summary>
    public TimeSpan KeepEvery => connection.Options.WebhookLease / 3;

    /// <summary>Renews the leases of this process and takes over jobs whose lease ran out.</summary>
    /// <param name="held">Jobs whose webhook this process will call.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <returns>Jobs that this process has taken over.</returns>
    public async Task<IReadOnlyList<string>> KeepAsync(IEnumerable<string> held, CancellationToken cancellation) =>
        (string[])(await connection.RunAsync(QueueScripts.Webhooks, cancellation,
            [(long)connection.Options.WebhookLease.TotalMilliseconds, MaxTaken, .. held.Select(id => (RedisValue)id)]))!;

    /// <summary>Removes a job: its webhook was called, or is no longer needed.</summary>
    public Task DoneAsync(string jobId, CancellationToken cancellation) =>
        connection.TryAsync(database => database.SortedSetRemoveAsync(connection.Keys.Webhooks, jobId), cancellation);

    /// <summary>Ends the leases at once, so that another process takes the jobs over.</summary>
    public Task LeaveAsync(IEnumerable<string> held, CancellationToken cancellation) =>
        connection.TryAsync(database => database.SortedSetUpdateAsync(
            connection.Keys.Webhooks, [.. held.Select(id => new SortedSetEntry(id, 0))], SortedSetWhen.Exists), cancellation);
}
