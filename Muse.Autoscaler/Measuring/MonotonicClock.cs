namespace Muse.Autoscaler;

/// <summary>The start time plus the elapsed time. Setting the system clock does not affect it, so windows keep their length.</summary>
public sealed class MonotonicClock(TimeProvider time)
{
    readonly DateTimeOffset origin = time.GetUtcNow();
    readonly long started = time.GetTimestamp();

    /// <summary>The current time; it never goes back.</summary>
    public DateTimeOffset Now => origin + time.GetElapsedTime(started);
}
