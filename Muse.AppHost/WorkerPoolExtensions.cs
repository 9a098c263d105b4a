using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Muse.AppHost;

/// <summary>Adds the worker pool.</summary>
static class WorkerPoolExtensions
{
    /// <summary>Adds the pool of the resources that <see cref="WorkerPool.Name"/> names, over this Redis.</summary>
    public static void AddWorkerPool(
        this IDistributedApplicationBuilder builder, IResourceBuilder<IResourceWithConnectionString> redis, AppHostSettings settings)
    {
        builder.Services.AddSingleton<IWorkerFleet>(new WorkerFleet(redis.Resource));
        builder.Services.AddSingleton(services => new WorkerPool(
            services.GetRequiredService<IWorkerFleet>(),
            settings,
            services.GetRequiredService<ResourceNotificationService>(),
            services.GetRequiredService<ResourceCommandService>(),
            TimeProvider.System,
            services.GetRequiredService<ILogger<WorkerPool>>()));
        builder.Services.AddHostedService(services => services.GetRequiredService<WorkerPool>());
    }
}
