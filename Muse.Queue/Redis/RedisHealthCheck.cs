using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Healthy if Redis does what Muse needs: scripts, streams, writes and messages.</summary>
sealed class RedisHealthCheck(QueueConnection connection) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await connection.RunAsync(QueueScripts.Probe, cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception) when (exception is QueueUnavailableException or RedisException)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }
}
