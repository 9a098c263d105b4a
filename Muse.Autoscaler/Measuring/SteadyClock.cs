namespace Muse.Autoscaler;

/// <summary>The time of day at the start plus what has passed since: someone who sets the machine's clock does not stretch or cut a window.</summary>
public sealed class SteadyClock(TimeProvider time)
{
    readonly DateTimeOffset origin = time.GetUtcNow();
    readonly long started = time.GetTimestamp();

    /// <summary>Never goes back.</summary>
    public DateTimeOffset Now => origin + time.GetElapsedTime(started);
}
