using Muse.Queue;

namespace Muse.Api;

/// <summary>The served model's card, read from Redis every few seconds, not with every request.</summary>
public sealed class ModelCardCache(Fleet fleet, TimeProvider time)
{
    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(3);
    volatile CachedCard? latest;
    int refreshing;

    /// <summary>The card, or null while no worker has announced the model.</summary>
    /// <exception cref="QueueUnavailableException">The card was never read, and Redis is unavailable.</exception>
    public ValueTask<ModelCard?> FindAsync(CancellationToken cancellation)
    {
        var known = latest;
        // The absence of a card is not cached: the first requests after a worker's start would be handled without it.
        if (known?.Card is not null && time.GetElapsedTime(known.At) < MaxAge)
            return new(known.Card);
        // One caller refreshes. The others use the known card.
        if (known?.Card is not null && Interlocked.Exchange(ref refreshing, 1) == 1)
            return new(known.Card);
        return RefreshAsync(known, cancellation);
    }

    /// <summary>
    /// Whether a safety checker sees each completed image. Previews have not been seen by it, so they are not shown then.
    /// </summary>
    public async ValueTask<bool> ChecksSafetyAsync(CancellationToken cancellation) =>
        await FindAsync(cancellation) is { SafetyChecker: true };

    async ValueTask<ModelCard?> RefreshAsync(CachedCard? known, CancellationToken cancellation)
    {
        try
        {
            var card = await fleet.FindModelCardAsync(cancellation);
            latest = new(card ?? known?.Card, time.GetTimestamp());
            return latest.Card;
        }
        catch (QueueUnavailableException) when (known?.Card is not null)
        {
            // The old card is good enough to validate a request. The submission reports that Redis is unavailable.
            return known.Card;
        }
        finally
        {
            Volatile.Write(ref refreshing, 0);
        }
    }

    sealed record CachedCard(ModelCard? Card, long At);
}
