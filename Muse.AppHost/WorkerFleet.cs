using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Muse.Queue;
using Muse.ServiceDefaults;

namespace Muse.AppHost;

/// <summary>What the pool reads and writes in Redis.</summary>
interface IWorkerFleet
{
    /// <summary>The heartbeats of the last 15 s.</summary>
    Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation);
    /// <summary>The autoscaler's latest decision, or null.</summary>
    Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation);
    /// <summary>Asks a worker to hand back its work.</summary>
    Task RequestDrainAsync(string worker, CancellationToken cancellation);
}

/// <summary>The queue's <see cref="Fleet"/> over the application's own Redis, whose address is known only once it runs.</summary>
sealed class WorkerFleet(IResourceWithConnectionString redis) : IWorkerFleet, IDisposable
{
    Task<IHost>? opening;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) =>
        await (await FleetAsync()).WorkersAsync(cancellation);

    /// <inheritdoc/>
    public async Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation) =>
        await (await FleetAsync()).LatestDecisionAsync(cancellation);

    /// <inheritdoc/>
    public async Task RequestDrainAsync(string worker, CancellationToken cancellation) =>
        await (await FleetAsync()).RequestDrainAsync(worker, cancellation);

    async Task<Fleet> FleetAsync()
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
