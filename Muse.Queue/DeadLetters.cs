namespace Muse.Queue;

/// <summary>Entries that can't be painted: crashed workers too often, or can't be read. For a person to look at and requeue.</summary>
/// <remarks>The newest 100,000 are kept. Every method throws <see cref="QueueUnavailableException"/> while Redis can't be reached.</remarks>
public sealed class DeadLetters
{
    readonly QueueConnection connection;

    internal DeadLetters(QueueConnection connection) => this.connection = connection;

    /// <summary>The newest first.</summary>
    public Task<IReadOnlyList<DeadLetter>> ListAsync(int count, CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<DeadLetter>>(async database =>
        {
            var entries = await database.StreamRangeAsync(connection.Keys.Dead, count: count, messageOrder: StackExchange.Redis.Order.Descending);
            return [.. entries.Select(entry => new DeadLetter(
                entry.Id!,
                (string?)entry["job"] is { Length: > 0 } job ? job : null,
                entry["index"].TryParse(out int index) ? index : -1,
                (string?)entry["reason"] ?? "",
                DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(entry.Id.ToString().Split('-')[0], System.Globalization.CultureInfo.InvariantCulture))))];
        }, cancellation);

    /// <summary>Puts it back on the stream as new, its job queued again.</summary>
    /// <returns>False when there is no such letter, or its job has expired.</returns>
    public async Task<bool> RequeueAsync(string id, CancellationToken cancellation) =>
        IsId(id) && (int)await connection.RunAsync(QueueScripts.Requeue, cancellation, QueueConnection.UnfinishedMilliseconds, id) == 1;

    /// <summary>Two numbers with a dash between: anything else would be an error of Redis' instead of an answer.</summary>
    static bool IsId(string id) => id.Split('-') is [var milliseconds, var sequence] && ulong.TryParse(milliseconds, out _) && ulong.TryParse(sequence, out _);
}

/// <summary>A dead letter.</summary>
/// <param name="Id">Its id in the dead-letter stream.</param>
/// <param name="JobId">Its job, where that could be read.</param>
/// <param name="Index">Which of the job's pictures; -1 where that could not be read.</param>
/// <param name="Reason">Why it lies here.</param>
/// <param name="At">Since when.</param>
public sealed record DeadLetter(string Id, string? JobId, int Index, string Reason, DateTimeOffset At);
