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

    /// <summary>Failed deliveries that are stored at most.</summary>
    const int MaxDeliveries = 10_000;

    readonly QueueConnection connection;

    internal PendingWebhooks(QueueConnection connection) => this.connection = connection;

    /// <summary>How often to call <see cref="RenewLeasesAsync"/>: three times per lease.</summary>
    public TimeSpan RenewalInterval => connection.Options.WebhookLease / 3;

    /// <summary>Renews the leases of this process and takes over jobs whose lease ran out.</summary>
    /// <param name="held">Jobs whose webhook this process will call.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <returns>Jobs that this process has taken over.</returns>
    public async Task<IReadOnlyList<string>> RenewLeasesAsync(IEnumerable<string> held, CancellationToken cancellation) =>
        (string[])(await connection.RunAsync(QueueScripts.Webhooks, cancellation,
            [(long)connection.Options.WebhookLease.TotalMilliseconds, MaxTaken, .. held.Select(id => (RedisValue)id)]))!;

    /// <summary>Removes a job: its webhook was called, or is no longer needed.</summary>
    public Task RemoveAsync(string jobId, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            var transaction = database.CreateTransaction();
            _ = transaction.SortedSetRemoveAsync(connection.Keys.Webhooks, jobId);
            _ = transaction.HashDeleteAsync(connection.Keys.WebhookDeliveries, jobId);
            return await transaction.ExecuteAsync();
        }, cancellation);

    /// <summary>
    /// Stores a delivery that has failed, so that it outlasts this process and the job. At most 10,000 are stored, for seven days after the
    /// latest; beyond that, nothing is stored.
    /// </summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="cancellation">Cancels the call.</param>
    public Task StoreAsync(WebhookDelivery delivery, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            var key = connection.Keys.WebhookDeliveries;
            if (await database.HashLengthAsync(key) >= MaxDeliveries && !await database.HashExistsAsync(key, delivery.JobId))
                return false;
            var transaction = database.CreateTransaction();
            _ = transaction.HashSetAsync(key, delivery.JobId, QueueJson.Write(delivery));
            _ = transaction.KeyExpireAsync(key, TimeSpan.FromMilliseconds(QueueConnection.UnfinishedMilliseconds));
            if (delivery.GivenUp)
                _ = transaction.SortedSetRemoveAsync(connection.Keys.Webhooks, delivery.JobId);
            return await transaction.ExecuteAsync();
        }, cancellation);

    /// <summary>The stored delivery of a job, or null.</summary>
    public Task<WebhookDelivery?> FindAsync(string jobId, CancellationToken cancellation) =>
        connection.TryAsync(
            async database => QueueJson.ReadDelivery(await database.HashGetAsync(connection.Keys.WebhookDeliveries, jobId)), cancellation);

    /// <summary>All deliveries that have failed so far, the oldest first.</summary>
    public Task<IReadOnlyList<WebhookDelivery>> ListAsync(CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<WebhookDelivery>>(async database =>
        {
            var values = await database.HashValuesAsync(connection.Keys.WebhookDeliveries);
            return [.. values.Select(QueueJson.ReadDelivery).OfType<WebhookDelivery>().OrderBy(delivery => delivery.FirstTry)];
        }, cancellation);

    /// <summary>
    /// Resets a delivery to its first try. The next process that calls <see cref="RenewLeasesAsync"/> takes it over and sends it.
    /// </summary>
    public async Task ResendAsync(WebhookDelivery delivery, CancellationToken cancellation)
    {
        await StoreAsync(delivery with { GivenUp = false, Tries = 0, FirstTry = connection.Time.GetUtcNow() }, cancellation);
        await connection.TryAsync(database => database.SortedSetAddAsync(connection.Keys.Webhooks, delivery.JobId, 0), cancellation);
    }

    /// <summary>Ends the leases at once, so that another process takes the jobs over.</summary>
    public Task ReleaseLeasesAsync(IEnumerable<string> held, CancellationToken cancellation) =>
        connection.TryAsync(database => database.SortedSetUpdateAsync(
            connection.Keys.Webhooks, [.. held.Select(id => new SortedSetEntry(id, 0))], SortedSetWhen.Exists), cancellation);
}

/// <summary>A webhook whose delivery has failed so far.</summary>
/// <param name="JobId">The job.</param>
/// <param name="MessageId">The id of the message, the same for all tries.</param>
/// <param name="Address">Where it goes.</param>
/// <param name="Body">The JSON that is sent.</param>
/// <param name="Tries">How often it was tried.</param>
/// <param name="FirstTry">When it was tried first.</param>
/// <param name="Error">Why the latest try failed.</param>
/// <param name="GivenUp">Whether it is not tried any more.</param>
public sealed record WebhookDelivery(string JobId, string MessageId, Uri Address, string Body, int Tries, DateTimeOffset FirstTry,
    string Error, bool GivenUp);
