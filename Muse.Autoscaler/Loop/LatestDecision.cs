using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>The leader's last decision as Redis has it, for KEDA. It is the same in every autoscaler, whichever of them leads.</summary>
public sealed class LatestDecision(IFleet fleet, IOptions<AutoscalerOptions> options, MonotonicClock clock)
{
    Entry? entry;

    /// <summary>An older decision counts as unknown: two measurements may fail.</summary>
    public TimeSpan MaxAge { get; } = options.Value.Interval * 3;

    /// <summary>
    /// Reads the decision from Redis. While Redis is unavailable, the one that was read last counts until <see cref="MaxAge"/>.
    /// </summary>
    /// <returns>The decision, or null if there is none or it is older than <see cref="MaxAge"/>.</returns>
    public async Task<ScalingDecision?> ReadAsync(CancellationToken cancellation)
    {
        try
        {
            if (await fleet.LatestDecisionAsync(cancellation) is { } decision)
            {
                // Both times are from the clock of Redis, so that the leader's clock does not matter.
                var age = (await fleet.MeasureAsync(cancellation)).At - decision.Measured.At;
                Volatile.Write(ref entry, new(decision, clock.Now - (age > TimeSpan.Zero ? age : TimeSpan.Zero)));
            }
        }
        catch (QueueUnavailableException)
        {
        }
        return Volatile.Read(ref entry) is { } known && clock.Now - known.At <= MaxAge ? known.Decision : null;
    }

    sealed record Entry(ScalingDecision Decision, DateTimeOffset At);
}
