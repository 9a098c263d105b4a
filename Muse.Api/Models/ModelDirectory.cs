using Muse.Queue;

namespace Muse.Api;

/// <summary>The served model's card, read from the fleet at most every few seconds rather than with every request.</summary>
public sealed class ModelDirectory(Fleet fleet, TimeProvider time)
{
    static readonly TimeSpan Fresh = TimeSpan.FromSeconds(3);
    volatile Reading? latest;
    int refreshing;

    /// <summary>The card, or null while no worker has announced the model.</summary>
    /// <exception cref="QueueUnavailableException">When it was never read and Redis is away.</exception>
    public ValueTask<ModelCard?> FindAsync(CancellationToken cancellation)
    {
        var known = latest;
        if (known is not null && time.GetElapsedTime(known.At) < Fresh)
            return new(known.Card);
        // One caller refreshes; the others go on with what is known.
        if (known?.Card is not null && Interlocked.Exchange(ref refreshing, 1) == 1)
            return new(known.Card);
        return RefreshAsync(known, cancellation);
    }

    async ValueTask<ModelCard?> RefreshAsync(Reading? known, CancellationToken cancellation)
    {
        try
        {
            var card = await fleet.ModelAsync(cancellation);
            latest = new(card ?? known?.Card, time.GetTimestamp());
            return latest.Card;
        }
        catch (QueueUnavailableException) when (known?.Card is not null)
        {
            // An old card serves to check a request by; submitting will say that Redis is away.
            return known.Card;
        }
        finally
        {
            Volatile.Write(ref refreshing, 0);
        }
    }

    sealed record Reading(ModelCard? Card, long At);
}
