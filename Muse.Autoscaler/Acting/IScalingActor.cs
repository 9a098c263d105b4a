namespace Muse.Autoscaler;

/// <summary>
/// Passes a decision to whatever owns the workers' processes. Called after every decision, also when the number has not changed, so that a
/// failed call is repeated.
/// </summary>
public interface IScalingActor
{
    /// <summary>Starts or stops workers, or requests it.</summary>
    Task ActAsync(ScalingDecision decision, CancellationToken cancellation);

    /// <summary>
    /// Called before a decision for fewer workers than there are is stored, so that their owner can learn which ones to stop first. It does
    /// not throw.
    /// </summary>
    Task PrepareScaleDownAsync(IReadOnlyList<WorkerFacts> workers, CancellationToken cancellation) => Task.CompletedTask;
}

/// <summary>The names of <see cref="AutoscalerOptions.Actor"/>.</summary>
public static class Actors
{
    /// <summary>The AppHost's pool, which reads the decision from Redis.</summary>
    public const string Aspire = "aspire";
    /// <summary>A Deployment's <c>scale</c> subresource.</summary>
    public const string Kubernetes = "kubernetes";
    /// <summary>KEDA, which asks for the number over gRPC.</summary>
    public const string Keda = "keda";
    /// <summary>No owner: the number is only logged.</summary>
    public const string None = "none";
}
