namespace Muse.Autoscaler;

/// <summary>The part of <see cref="Fleet"/> that the autoscaler uses. The simulator and the tests implement it too.</summary>
public interface IFleet
{
    /// <inheritdoc cref="Fleet.MeasureAsync"/>
    Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.WorkersAsync"/>
    Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.StoreDecisionAsync"/>
    Task StoreDecisionAsync(ScalingDecision decision, CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.LatestDecisionAsync"/>
    Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation);
    /// <inheritdoc cref="Fleet.WaitForChangeAsync"/>
    Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation);
}

/// <summary>Implements <see cref="IFleet"/> with Redis.</summary>
public sealed class RedisFleet(Fleet fleet) : IFleet
{
    /// <inheritdoc/>
    public Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation) => fleet.MeasureAsync(cancellation);
    /// <inheritdoc/>
    public Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) => fleet.WorkersAsync(cancellation);
    /// <inheritdoc/>
    public Task StoreDecisionAsync(ScalingDecision decision, CancellationToken cancellation) =>
        fleet.StoreDecisionAsync(decision, cancellation);
    /// <inheritdoc/>
    public Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation) => fleet.LatestDecisionAsync(cancellation);
    /// <inheritdoc/>
    public Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation) => fleet.WaitForChangeAsync(atMost, cancellation);
}
