using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Muse.Queue;
using Muse.ServiceDefaults;

namespace Muse.AppHost;

/// <summary>What the pool hears and says over Redis.</summary>
interface IWorkerFleet
{
    /// <summary>The workers heard of lately.</summary>
    Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation);
    /// <summary>The autoscaler's latest decision, or null.</summary>
    Task<ScalingDecision?> DecisionAsync(CancellationToken cancellation);
    /// <summary>Asks a worker to hand back its work.</summary>
    Task RequestDrainAsync(string worker, CancellationToken cancellation);
}

/// <summary>The queue's <see cref="Fleet"/>, over the application's own Redis, whose address is known only once that runs.</summary>
sealed class WorkerFleet(IResourceWithConnectionString redis) : IWorkerFleet, IDisposable
{
    Task<IHost>? opening;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) => await (await FleetAsync(cancellation)).WorkersAsync(cancellation);

    /// <inheritdoc/>
    public async Task<ScalingDecision?> DecisionAsync(CancellationToken cancellation) => await (await FleetAsync(cancellation)).DecisionAsync(cancellation);

    /// <inheritdoc/>
    public async Task RequestDrainAsync(string worker, CancellationToken cancellation) => await (await FleetAsync(cancellation)).RequestDrainAsync(worker, cancellation);

    async Task<Fleet> FleetAsync(CancellationToken cancellation)
    {
        opening ??= OpenAsync();
        if (!opening.IsCompleted)
            throw new QueueUnavailableException("Redis has not started yet.");
        return (await opening).Services.GetRequiredService<Fleet>();
    }

    async Task<IHost> OpenAsync()
    {
        var queue = Host.CreateEmptyApplicationBuilder(new());
        queue.Configuration.AddMuseSettings();
        queue.Configuration["ConnectionStrings:redis"] = await redis.GetConnectionStringAsync();
        queue.Services.AddSingleton(TimeProvider.System).AddLogging();
        queue.AddMuseQueue();
        return queue.Build();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (opening is { IsCompletedSuccessfully: true })
            opening.Result.Dispose();
    }
}

/// <summary>Adds the pool.</summary>
static class WorkerPoolHosting
{
    /// <summary>Adds the pool of the resources named <see cref="WorkerPool.Name"/>, over this Redis.</summary>
    public static void AddWorkerPool(this IDistributedApplicationBuilder builder, IResourceBuilder<IResourceWithConnectionString> redis, AppHostSettings settings)
    {
        builder.Services.AddSingleton<IWorkerFleet>(new WorkerFleet(redis.Resource));
        builder.Services.AddHostedService(services => new WorkerPool(services.GetRequiredService<IWorkerFleet>(), settings,
            services.GetRequiredService<ResourceNotificationService>(), services.GetRequiredService<ResourceCommandService>(), TimeProvider.System, services.GetRequiredService<ILogger<WorkerPool>>()));
    }
}
