namespace Muse.Autoscaler;

/// <summary>Every line that the autoscaler writes.</summary>
static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Autoscaling by the policy {Policy} between {Min} and {Max} workers, every {Interval}, acting through {Actor}.")]
    public static partial void Started(ILogger logger, string policy, int min, int max, TimeSpan interval, string actor);

    [LoggerMessage(2, LogLevel.Information, "{Workers} workers: {Reason}")]
    public static partial void Decided(ILogger logger, int workers, string reason);

    [LoggerMessage(3, LogLevel.Warning, "The queue could not be measured: the last number, {Workers}, stands. {Error}")]
    public static partial void LookFailed(ILogger logger, int? workers, string error, Exception exception);

    [LoggerMessage(4, LogLevel.Error, "{Workers} workers could not be asked for; it is tried again at the next look. {Error}")]
    public static partial void ActFailed(ILogger logger, int workers, string error, Exception exception);

    [LoggerMessage(5, LogLevel.Information, "Would have {Workers} workers, but owns none: start or stop them by hand. {Reason}")]
    public static partial void WouldScale(ILogger logger, int workers, string reason);

    [LoggerMessage(6, LogLevel.Warning, "Worker {Worker} ({Device}) has been starting for {Age} and counts as stuck: another is asked for in its place.")]
    public static partial void WorkerNeverReady(ILogger logger, string worker, string device, TimeSpan age);

    [LoggerMessage(7, LogLevel.Warning, "{Desired} workers are wanted, but {Heard} have been heard of for {Time}: whatever starts them can't, or they die before they speak.")]
    public static partial void PoolOwesWorkers(ILogger logger, int desired, int heard, TimeSpan time);

    [LoggerMessage(8, LogLevel.Warning, "{Heard} workers are heard of, {Lately} were lately: nothing is scaled down meanwhile.")]
    public static partial void HeartbeatsMissing(ILogger logger, int heard, int lately);

    [LoggerMessage(9, LogLevel.Warning, "Redis' clock jumped by {Jump}: nothing is scaled down at this look.")]
    public static partial void ClockJumped(ILogger logger, TimeSpan jump);

    [LoggerMessage(10, LogLevel.Warning, "The measurement of {At} came again after {Passed}: nothing is scaled down on a stale one.")]
    public static partial void Stale(ILogger logger, DateTimeOffset at, TimeSpan passed);

    [LoggerMessage(11, LogLevel.Warning, "Redis' arrivals fell from {Before} to {Now}: its counters began anew, and nothing is scaled down until they are known again.")]
    public static partial void CountersBeganAnew(ILogger logger, long before, long now);
}
