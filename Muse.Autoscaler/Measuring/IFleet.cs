namespace Muse.Autoscaler;

/// <summary>The part of <see cref="Fleet"/> that the autoscaler uses. The simulator and the tests implement it too.</summary>
public interface IFleet
{
    /// <inheritdoc cref="Fleet.MeasureAsync"/>
    Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.WorkersAsync"/>
    Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.StoreDecisionAsync"/>
    Task<bool> StoreDecisionAsync(ScalingDecision decision, LeaderLease lease, CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.LatestDecisionAsync"/>
    Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.WaitForChangeAsync"/>
    Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.LeadAsync"/>
    Task<LeaderLease?> LeadAsync(string holder, TimeSpan lifetime, CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.StopLeadingAsync"/>
    Task StopLeadingAsync(string holder, CancellationToken cancellation);
    /// <inheritdoc cref="DeadLetters.CountAsync"/>
    Task<long> CountDeadLettersAsync(CancellationToken cancellation);
}

/// <summary>Implements <see cref="IFleet"/> with Redis.</summary>
public sealed class RedisFleet(Fleet fleet, DeadLetters deadLetters) : IFleet
{
    /// <inheritdoc/>
    public Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation) => fleet.MeasureAsync(cancellation);
    /// <inheritdoc/>
    public Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) => fleet.WorkersAsync(cancellation);
    /// <inheritdoc/>
    public Task<bool> StoreDecisionAsync(ScalingDecision decision, LeaderLease lease, CancellationToken cancellation) =>
        fleet.StoreDecisionAsync(decision, lease, cancellation);
    /// <inheritdoc/>
    public Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation) => fleet.LatestDecisionAsync(cancellation);
    /// <inheritdoc/>
    public Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation) => fleet.WaitForChangeAsync(atMost, cancellation);
    /// <inheritdoc/>
    public Task<LeaderLease?> LeadAsync(string holder, TimeSpan lifetime, CancellationToken cancellation) =>
        fleet.LeadAsync(holder, lifetime, cancellation);
    /// <inheritdoc/>
    public Task StopLeadingAsync(string holder, CancellationToken cancellation) => fleet.StopLeadingAsync(holder, cancellation);
    /// <inheritdoc/>
    public Task<long> CountDeadLettersAsync(CancellationToken cancellation) => deadLetters.CountAsync(cancellation);
}
