namespace Muse.Autoscaler;

/// <summary>The last decision of this process, for KEDA and the metrics.</summary>
public sealed class LatestDecision(MonotonicClock clock)
{
    Entry? entry;

    /// <summary>Stores a decision.</summary>
    public void Set(ScalingDecision decision)
    {
        Volatile.Write(ref entry, new(decision, clock.Now));
        Changed?.Invoke();
    }

    /// <summary>The decision, or null if there is none or it is older than <paramref name="maxAge"/>.</summary>
    public ScalingDecision? Within(TimeSpan maxAge) =>
        Volatile.Read(ref entry) is { } known && clock.Now - known.At <= maxAge ? known.Decision : null;

    /// <summary>Raised on the loop's thread after each decision.</summary>
    public event Action? Changed;

    sealed record Entry(ScalingDecision Decision, DateTimeOffset At);
}
