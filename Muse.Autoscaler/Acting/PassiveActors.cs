namespace Muse.Autoscaler;

/// <summary>For owners that come and read the decision: the AppHost's pool from Redis, KEDA over gRPC.</summary>
public sealed class ReadByOwner : IScalingActor
{
    /// <summary>Nothing: the decision lies where its reader looks.</summary>
    public Task ActAsync(ScalingDecision decision, CancellationToken cancellation) => Task.CompletedTask;
}

/// <summary>For workers that someone runs by hand: says what it would do, once for each number.</summary>
public sealed class NobodyToAct(ILogger<NobodyToAct> logger) : IScalingActor
{
    int? said;

    /// <summary>Logs the number when it is a new one.</summary>
    public Task ActAsync(ScalingDecision decision, CancellationToken cancellation)
    {
        if (said != decision.Workers)
            Log.WouldScale(logger, decision.Workers, decision.Reason);
        said = decision.Workers;
        return Task.CompletedTask;
    }
}
