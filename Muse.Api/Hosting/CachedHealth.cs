using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Muse.Api;

/// <summary>
/// Runs the health checks at most once a second, however many clients ask: each run is a call to Redis, and the route is open to everyone.
/// </summary>
sealed class CachedHealth(HealthCheckService checks, TimeProvider time) : HealthCheckService
{
    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    readonly Lock gate = new();
    readonly Dictionary<Func<HealthCheckRegistration, bool>, (Task<HealthReport> Report, long At)> reports = [];

    public override Task<HealthReport> CheckHealthAsync(Func<HealthCheckRegistration, bool>? predicate,
        CancellationToken cancellationToken = default)
    {
        predicate ??= All;
        lock (gate)
        {
            if (!reports.TryGetValue(predicate, out var latest) || latest.Report.IsFaulted || time.GetElapsedTime(latest.At) > MaxAge)
                reports[predicate] = latest = (checks.CheckHealthAsync(predicate, CancellationToken.None), time.GetTimestamp());
            return latest.Report.WaitAsync(cancellationToken);
        }
    }

    static readonly Func<HealthCheckRegistration, bool> All = static _ => true;

    /// <summary>Puts the cache before the service that runs the checks.</summary>
    public static void AddTo(IServiceCollection services)
    {
        services.AddHealthChecks();
        var inner = services.Last(service => service.ServiceType == typeof(HealthCheckService)).ImplementationType!;
        services.Replace(ServiceDescriptor.Singleton<HealthCheckService>(provider =>
            new CachedHealth((HealthCheckService)ActivatorUtilities.CreateInstance(provider, inner),
                provider.GetRequiredService<TimeProvider>())));
    }
}
