using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Muse.AppHost;

/// <summary>Stops Muse's programs before Redis and the dashboard, so that workers can hand back their work and telemetry arrives.</summary>
/// <remarks>Aspire by itself stops everything at once, and a program then waits in vain for what it talks to.</remarks>
sealed class OrderlyShutdown(DistributedApplicationModel model, ResourceNotificationService notifications, ResourceCommandService commands)
    : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(model.GetProjectResources().Where(IsRunning)
            .Select(project => commands.ExecuteCommandAsync(project, KnownResourceCommands.StopCommand, cancellationToken)));

    bool IsRunning(ProjectResource project) =>
        notifications.TryGetCurrentState(project.Name, out var current) && current.Snapshot.State?.Text == KnownResourceStates.Running;
}

/// <summary>Adds it.</summary>
static class OrderlyShutdownExtensions
{
    /// <summary>Adds <see cref="OrderlyShutdown"/>. Services that start programs are added after it: the host stops them first.</summary>
    public static void AddOrderlyShutdown(this IDistributedApplicationBuilder builder) =>
        builder.Services.AddHostedService<OrderlyShutdown>();
}
