namespace Muse.Autoscaler;

/// <summary>The autoscaler's log messages.</summary>
static partial class Log
{
    [LoggerMessage(1, LogLevel.Information,
        "Autoscaling with the policy {Policy} between {Min} and {Max} workers, every {Interval}, through the actor {Actor}.")]
    public static partial void Started(ILogger logger, string policy, int min, int max, TimeSpan interval, string actor);

    [LoggerMessage(2, LogLevel.Information, "{Workers} workers: {Reason}")]
    public static partial void Decided(ILogger logger, int workers, string reason);

    [LoggerMessage(3, LogLevel.Warning, "The queue could not be measured. The last decision, {Workers} workers, stays in force. {Error}")]
    public static partial void MeasurementFailed(ILogger logger, int? workers, string error, Exception exception);

    [LoggerMessage(4, LogLevel.Error, "The actor failed to set {Workers} workers. It is called again after the next measurement. {Error}")]
    public static partial void ActFailed(ILogger logger, int workers, string error, Exception exception);

    [LoggerMessage(5, LogLevel.Information, "{Workers} workers are wanted. The actor is none: start or stop them by hand. {Reason}")]
    public static partial void WouldScale(ILogger logger, int workers, string reason);

    [LoggerMessage(6, LogLevel.Warning,
        "Worker {Worker} ({Device}) has been starting for {Age} and counts as stuck. A replacement is requested.")]
    public static partial void WorkerNeverReady(ILogger logger, string worker, string device, TimeSpan age);

    [LoggerMessage(7, LogLevel.Warning,
        "{Desired} workers are wanted, but only {Alive} have sent heartbeats for {Time}. "
        + "They are not started, or they end before their first heartbeat.")]
    public static partial void WorkersMissing(ILogger logger, int desired, int alive, TimeSpan time);

    [LoggerMessage(8, LogLevel.Warning, "{Alive} workers send heartbeats, {Recent} did recently. Nothing is scaled down.")]
    public static partial void HeartbeatsMissing(ILogger logger, int alive, int recent);

    [LoggerMessage(9, LogLevel.Warning, "The clock of Redis jumped by {Jump}. Nothing is scaled down with this measurement.")]
    public static partial void ClockJumped(ILogger logger, TimeSpan jump);

    [LoggerMessage(10, LogLevel.Warning,
        "The measurement is stale: its time is still {At} after {Passed}. Nothing is scaled down with it.")]
    public static partial void StaleMeasurement(ILogger logger, DateTimeOffset at, TimeSpan passed);

    [LoggerMessage(11, LogLevel.Warning,
        "The counter of arrivals in Redis fell from {Before} to {Now}: it was reset. "
        + "Nothing is scaled down until the rate is known again.")]
    public static partial void CountersReset(ILogger logger, long before, long now);

    [LoggerMessage(12, LogLevel.Information, "This autoscaler, {Name}, leads: epoch {Epoch}.")]
    public static partial void Leads(ILogger logger, string name, long epoch);

    [LoggerMessage(13, LogLevel.Information, "Another autoscaler leads. This one, {Name}, stands by.")]
    public static partial void StandsBy(ILogger logger, string name);

    [LoggerMessage(14, LogLevel.Warning,
        "The leader's lease could not be taken or renewed. Without it this autoscaler does not act, and the last decision stays in force. "
        + "{Error}")]
    public static partial void LeaseNotRenewed(ILogger logger, string error);

    [LoggerMessage(15, LogLevel.Warning, "The leader's lease could not be given up. It ends by itself. {Error}")]
    public static partial void LeaseNotGivenUp(ILogger logger, string error);

    [LoggerMessage(16, LogLevel.Warning,
        "The lease of epoch {Epoch} ended before its decision, {Workers} workers, was acted on. The decision is dropped.")]
    public static partial void DecisionDropped(ILogger logger, long epoch, int workers);

    [LoggerMessage(17, LogLevel.Warning,
        "The deletion costs of {Count} worker pods could not be written, so Kubernetes may stop one that is busy. {Error}")]
    public static partial void DeletionCostsFailed(ILogger logger, int count, string error);
}
