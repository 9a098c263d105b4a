namespace Muse.Autoscaler;

/// <summary>What owns the workers' processes, told how many there should be. Called at every look, also when the number has not changed, so that a call that failed is made up for.</summary>
public interface IScalingActor
{
    /// <summary>Makes it so, or asks for it.</summary>
    Task ActAsync(ScalingDecision decision, CancellationToken cancellation);
}

/// <summary>The names of <see cref="AutoscalerOptions.Actor"/>.</summary>
public static class Actors
{
    /// <summary>The AppHost's pool, which reads the decision from Redis.</summary>
    public const string Aspire = "aspire";
    /// <summary>A Deployment's <c>scale</c> subresource.</summary>
    public const string Kubernetes = "kubernetes";
    /// <summary>KEDA, which asks over gRPC.</summary>
    public const string Keda = "keda";
    /// <summary>Nobody: the log says what would be done.</summary>
    public const string None = "none";
}
