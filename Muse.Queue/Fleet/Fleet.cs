namespace Muse.Queue;

/// <summary>What the parts of the system tell each other beside the work itself: heartbeats, the model's card, the wanted number of workers.</summary>
public sealed class Fleet
{
    /// <summary>Announces a worker; forgotten 15 s after its last heartbeat.</summary>
    public Task BeatAsync(WorkerHeartbeat heartbeat, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Takes a worker off the list at once.</summary>
    public Task LeaveAsync(string worker, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>The workers heard of in the last 15 s.</summary>
    public Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Asks a worker to drain: it stops reading, hands its work back and waits to be stopped.</summary>
    public Task RequestDrainAsync(string worker, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Whether this worker was asked to drain.</summary>
    public Task<bool> IsDrainRequestedAsync(string worker, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Announces what the model can do.</summary>
    public Task AnnounceModelAsync(ModelCard card, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>What the model can do, or null while no worker has said so.</summary>
    public Task<ModelCard?> ModelAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Writes the autoscaler's decision: the latest, and into the history (bounded).</summary>
    public Task DecideAsync(ScalingDecision decision, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>The latest decision, or null.</summary>
    public Task<ScalingDecision?> DecisionAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Past decisions, newest first.</summary>
    public Task<IReadOnlyList<ScalingDecision>> DecisionsAsync(int count, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Lag, pending and rates, in one round trip.</summary>
    public Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Completes when work was added to the queue or a decision was written, or after <paramref name="atMost"/>.</summary>
    public Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation) => throw new NotImplementedException();
}

/// <summary>How many workers there should be, and why.</summary>
/// <param name="Workers">Workers wanted.</param>
/// <param name="Reason">A sentence with the numbers in it.</param>
/// <param name="At">When it was decided.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Measured">What it was decided on.</param>
public sealed record ScalingDecision(int Workers, string Reason, DateTimeOffset At, string Policy, QueueMeasurement Measured);

/// <summary>The queue in numbers.</summary>
/// <param name="Waiting">Entries not delivered yet (the consumer group's lag, or a count where Redis answers nil).</param>
/// <param name="Pending">Entries delivered and not finished.</param>
/// <param name="OldestWaiting">How long the oldest undelivered entry has waited; null when none waits.</param>
/// <param name="Arrivals">Pictures ever added.</param>
/// <param name="Completed">Pictures ever ended, in any way.</param>
/// <param name="At">When it was measured, by Redis' clock.</param>
public sealed record QueueMeasurement(long Waiting, long Pending, TimeSpan? OldestWaiting, long Arrivals, long Completed, DateTimeOffset At);
