namespace Muse.Autoscaler;

/// <summary>For workers that are started by hand: logs the number of workers whenever it changes.</summary>
public sealed class LogOnlyActor(ILogger<LogOnlyActor> logger) : IScalingActor
{
    int? logged;

    /// <summary>Logs the number if it differs from the last one.</summary>
    public Task ActAsync(ScalingDecision decision, CancellationToken cancellation)
    {
        if (logged != decision.Workers)
            Log.WouldScale(logger, decision.Workers, decision.Reason);
        logged = decision.Workers;
        return Task.CompletedTask;
    }
}
