using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>
/// Healthy if Redis does what Muse needs: scripts, streams, writes and messages. Degraded, which still counts as ready, for
/// <see cref="QueueOptions.ReadinessGrace"/> after that; then unhealthy.
/// </summary>
sealed class RedisHealthCheck(QueueConnection connection) : IHealthCheck
{
    sealed record Answer(long At);

    Answer? last;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await connection.RunAsync(QueueScripts.Probe, cancellationToken);
            Volatile.Write(ref last, new(connection.Time.GetTimestamp()));
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception) when (exception is QueueUnavailableException or RedisException)
        {
            return Volatile.Read(ref last) is { } answer && connection.Time.GetElapsedTime(answer.At) < connection.Options.ReadinessGrace
                ? HealthCheckResult.Degraded(exception.Message, exception)
                : HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }
}
