namespace Muse.Autoscaler;

/// <summary>For owners that fetch the decision themselves: the AppHost's pool reads it from Redis, KEDA asks over gRPC.</summary>
public sealed class NoOpActor : IScalingActor
{
    /// <summary>Does nothing.</summary>
    public Task ActAsync(ScalingDecision decision, CancellationToken cancellation) => Task.CompletedTask;
}
