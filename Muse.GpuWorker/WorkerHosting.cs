using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Muse.Diffusion;
using Muse.Queue;
using Muse.ServiceDefaults;
using OpenTelemetry.Resources;

namespace Muse.GpuWorker;

/// <summary>Adds the worker to an application.</summary>
internal static class WorkerHosting
{
    public static WebApplicationBuilder AddGpuWorker(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<WorkerOptions>().BindConfiguration("Worker").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<EngineOptions>().BindConfiguration("Engine").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<DeviceOptions>().BindConfiguration("Device").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(5));
        builder.Services.AddSingleton<Atelier>().AddSingleton<WorkLoop>().AddSingleton<EventPump>().AddSingleton<LeaseKeeper>().AddSingleton<HeartbeatLoop>();
        builder.Services.AddHostedService<Worker>();
        builder.Services.AddOpenTelemetry().ConfigureResource(resource => resource.AddAttributes([new(ServiceDefaultsExtensions.ModelAttribute, builder.Configuration["Queue:Model"] ?? new QueueOptions().Model)]));
        builder.Services.AddHealthChecks().AddCheck<ReadyCheck>("ready");
        return builder;
    }

    /// <summary>Runs the program; what stops it at its start is said in a sentence.</summary>
    /// <returns>The exit code.</returns>
    public static int RunWorker(this WebApplication app)
    {
        try
        {
            // A folder that can't be used stops the program here, before anybody counts on it: with a sentence, not with a stack.
            app.Services.GetRequiredService<Atelier>().Open();
            app.Run();
            return Environment.ExitCode;
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            app.StopAsync().GetAwaiter().GetResult(); // Terminated while it started: what began must still end.
            return Environment.ExitCode;
        }
        catch (Exception problem) when (problem is ModelFolderException or DeviceMemoryException or OptionsValidationException or ArgumentException)
        {
            Console.Error.WriteLine($"Muse.GpuWorker can't start: {problem.Message}");
            return 1;
        }
    }

    /// <summary>Healthy while the worker takes work.</summary>
    sealed class ReadyCheck(Atelier atelier) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(atelier.State == WorkerState.Ready ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"The worker is {atelier.State}."));
    }
}
