using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>
/// Entries that can't be worked on: they crashed workers too often or can't be read. An operator inspects and requeues them.
/// </summary>
/// <remarks>The newest 100,000 are kept. Every method throws <see cref="QueueUnavailableException"/> while Redis is unavailable.</remarks>
public sealed class DeadLetters
{
    readonly QueueConnection connection;

    internal DeadLetters(QueueConnection connection) => this.connection = connection;

    /// <summary>Lists dead letters, newest first.</summary>
    public Task<IReadOnlyList<DeadLetter>> ListAsync(int count, CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<DeadLetter>>(async database =>
        {
            var entries = await database.StreamRangeAsync(connection.Keys.Dead, count: count, messageOrder: Order.Descending);
            return [.. entries.Select(Read)];
        }, cancellation);

    /// <summary>The number of dead letters.</summary>
    public Task<long> CountAsync(CancellationToken cancellation) =>
        connection.TryAsync(database => database.StreamLengthAsync(connection.Keys.Dead), cancellation);

    static DeadLetter Read(StreamEntry entry) => new(
        entry.Id!,
        (string?)entry["job"] is { Length: > 0 } job ? job : null,
        entry["index"].TryParse(out int index) ? index : -1,
        (string?)entry["reason"] ?? "",
        StreamIds.Time(entry.Id));

    /// <summary>Puts a dead letter back on the stream as a new entry. Its job is queued again.</summary>
    /// <returns>False if there is no such dead letter or its job has expired.</returns>
    public async Task<bool> RequeueAsync(string id, CancellationToken cancellation) =>
        StreamIds.IsValid(id)
        && (int)await connection.RunAsync(QueueScripts.Requeue, cancellation, QueueConnection.UnfinishedMilliseconds, id) == 1;
}

/// <summary>A dead letter.</summary>
/// <param name="Id">Its id in the dead-letter stream.</param>
/// <param name="JobId">Its job; null if unreadable.</param>
/// <param name="Index">The image's index in the job; -1 if unreadable.</param>
/// <param name="Reason">Why the entry is a dead letter.</param>
/// <param name="At">When it became one, by the clock of Redis.</param>
public sealed record DeadLetter(string Id, string? JobId, int Index, string Reason, DateTimeOffset At);
