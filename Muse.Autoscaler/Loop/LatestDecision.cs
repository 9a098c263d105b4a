namespace Muse.Autoscaler;

/// <summary>The last decision that rests on a measurement, for whoever asks this process.</summary>
public sealed class LatestDecision(SteadyClock clock)
{
    Entry? entry;

    /// <summary>Keeps it.</summary>
    public void Set(ScalingDecision decision)
    {
        Volatile.Write(ref entry, new(decision, clock.Now));
        Changed?.Invoke();
    }

    /// <summary>The decision, unless there is none younger than <paramref name="atMost"/>.</summary>
    public ScalingDecision? Within(TimeSpan atMost) =>
        Volatile.Read(ref entry) is { } known && clock.Now - known.At <= atMost ? known.Decision : null;

    /// <summary>Raised on the loop's thread after each decision.</summary>
    public event Action? Changed;

    sealed record Entry(ScalingDecision Decision, DateTimeOffset At);
}
