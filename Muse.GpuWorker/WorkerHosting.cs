using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Muse.Diffusion;
using Muse.Queue;
using Muse.ServiceDefaults;
using OpenTelemetry.Resources;

namespace Muse.GpuWorker;

/// <summary>Adds the worker to an application.</summary>
static class WorkerHosting
{
    public static WebApplicationBuilder AddGpuWorker(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<WorkerOptions>().BindConfiguration("Worker").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<EngineOptions>().BindConfiguration("Engine").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<DeviceOptions>().BindConfiguration("Device").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<HostOptions>().Configure<IOptions<WorkerOptions>>((host, worker) =>
            host.ShutdownTimeout = worker.Value.DrainLimit + TimeSpan.FromSeconds(1.5));
        builder.Services.AddSingleton<WorkerContext>().AddSingleton<WorkLoop>().AddSingleton<EventPump>().AddSingleton<LeaseKeeper>()
            .AddSingleton<HeartbeatLoop>();
        builder.Services.AddHostedService<Worker>();
        var model = builder.Configuration["Queue:Model"] ?? new QueueOptions().Model;
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddAttributes([new(ServiceDefaultsExtensions.ModelAttribute, model)]));
        builder.Services.AddHealthChecks().AddCheck<ReadyCheck>("ready")
            .AddCheck<EngineCheck>("engine", tags: [ServiceDefaultsExtensions.LiveTag]);
        return builder;
    }

    /// <summary>Opens the model and runs the program.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="CannotStartException">The model's folder or the device can't be used.</exception>
    public static async Task<int> RunWorkerAsync(this WebApplication app)
    {
        try
        {
            // Before the host starts, so that a model that can't be opened ends the program with one sentence.
            app.Services.GetRequiredService<WorkerContext>().Open();
            await app.RunUntilStoppedAsync();
        }
        catch (Exception exception) when (exception is ModelFolderException or DeviceMemoryException or ArgumentException)
        {
            throw new CannotStartException(exception.Message, exception);
        }
        return Environment.ExitCode;
    }

    /// <summary>Healthy while the worker takes work.</summary>
    sealed class ReadyCheck(WorkerContext worker) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(worker.State == WorkerState.Ready ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy($"The worker is {worker.State}."));
    }

    /// <summary>Healthy unless a call into the model does not come back.</summary>
    sealed class EngineCheck(WorkerContext worker) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(worker.IsStalled
                ? HealthCheckResult.Unhealthy("A call into the model takes longer than Engine:StallLimit.")
                : HealthCheckResult.Healthy());
    }
}
