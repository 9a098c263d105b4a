using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Jobs whose end is still to be announced, each leased to one process: what a process that died leaves behind, another finds here.</summary>
/// <remarks>
/// A job with an <see cref="ImageJob.Webhook"/> is listed from its submission on, leased to whoever submits it.
/// Every method throws <see cref="QueueUnavailableException"/> while Redis can't be reached.
/// </remarks>
public sealed class PendingWebhooks
{
    /// <summary>Most that are taken over at once.</summary>
    const int TakenAtMost = 100;

    readonly QueueConnection connection;

    internal PendingWebhooks(QueueConnection connection) => this.connection = connection;

    /// <summary>How often to call <see cref="KeepAsync"/>: three times a lease.</summary>
    public TimeSpan KeepEvery => connection.Options.WebhookLease / 3;

    /// <summary>Keeps the leases of those that this process has in hand, and takes over those that nobody keeps.</summary>
    /// <param name="held">Jobs whose end this process will announce.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>Jobs whose end this process has to announce from now on.</returns>
    public async Task<IReadOnlyList<string>> KeepAsync(IEnumerable<string> held, CancellationToken cancellation) =>
        (string[])(await connection.RunAsync(QueueScripts.Webhooks, cancellation,
            [(long)connection.Options.WebhookLease.TotalMilliseconds, TakenAtMost, .. held.Select(id => (RedisValue)id)]))!;

    /// <summary>Its end was announced, or there is nothing to announce any more.</summary>
    public Task DoneAsync(string jobId, CancellationToken cancellation) =>
        connection.TryAsync(database => database.SortedSetRemoveAsync(connection.Keys.Webhooks, jobId), cancellation);

    /// <summary>Gives them to whoever looks next.</summary>
    public Task LeaveAsync(IEnumerable<string> held, CancellationToken cancellation) =>
        connection.TryAsync(database => database.SortedSetUpdateAsync(connection.Keys.Webhooks, [.. held.Select(id => new SortedSetEntry(id, 0))], SortedSetWhen.Exists), cancellation);
}
