// A stand-in for Aspire.Hosting, Aspire.Hosting.AppHost and Aspire.Hosting.Redis, used only where no feed has them
// (air-gapped machines, mirrors, CI). Where they restore, Muse.AppHost has the real ones: see eng/feeds.
//
// It has exactly the part of Aspire.Hosting that Muse.AppHost uses, with the same namespaces, names and signatures, and does
// what a developer's machine needs of it: starts the processes with Aspire's environment variables, waits for health, starts
// and stops single instances (SIGTERM, 6 s, SIGKILL), shows their logs in one stream, leaves no process behind.
//
// Left out: publishing (`aspire publish`), containers other than Redis, replicas, proxies in front of endpoints, https,
// launch profiles of the projects, parameters, custom commands, events, the resource page of the dashboard (its traces,
// metrics and logs work; the resources' states go to the log), Windows. A process that leaves its session (setsid) is out of its reach.

using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

/// <summary>The built application: starts its resources, waits for Ctrl+C or SIGTERM, stops them.</summary>
public class DistributedApplication : IHost, IAsyncDisposable
{
    readonly IHost host;

    internal DistributedApplication(IHost host) => this.host = host;

    /// <summary>The application's services.</summary>
    public IServiceProvider Services => host.Services;

    /// <summary>Tells of every change of a resource.</summary>
    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();

    /// <summary>Starts and stops single resources.</summary>
    public ResourceCommandService ResourceCommands => Services.GetRequiredService<ResourceCommandService>();

    /// <summary>Begins an application.</summary>
    /// <param name="args">The command line, read as configuration.</param>
    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => new DistributedApplicationBuilder(args);

    /// <summary>Starts it and blocks until it was told to stop and has stopped.</summary>
    public void Run() => RunAsync().GetAwaiter().GetResult();

    /// <summary>Starts it; completes when it was told to stop and has stopped.</summary>
    public virtual Task RunAsync(CancellationToken cancellationToken = default) => host.RunAsync(cancellationToken);

    /// <summary>Starts it.</summary>
    public virtual Task StartAsync(CancellationToken cancellationToken = default) => host.StartAsync(cancellationToken);

    /// <summary>Stops its resources, those first on which no other one depends.</summary>
    public virtual Task StopAsync(CancellationToken cancellationToken = default) => host.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        host.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (host is IAsyncDisposable disposable)
            return disposable.DisposeAsync();
        host.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Collects the resources of an application.</summary>
public interface IDistributedApplicationBuilder
{
    /// <summary>Environment variables, settings files and the command line.</summary>
    ConfigurationManager Configuration { get; }
    /// <summary>The AppHost project's folder: relative paths start here.</summary>
    string AppHostDirectory { get; }
    /// <summary>The environment that the AppHost runs in.</summary>
    IHostEnvironment Environment { get; }
    /// <summary>The AppHost's own services.</summary>
    IServiceCollection Services { get; }
    /// <summary>Whether it runs or publishes.</summary>
    DistributedApplicationExecutionContext ExecutionContext { get; }
    /// <summary>All resources so far.</summary>
    IResourceCollection Resources { get; }
    /// <summary>Adds a resource.</summary>
    IResourceBuilder<T> AddResource<T>(T resource) where T : IResource;
    /// <summary>A builder for a resource that need not be part of the application.</summary>
    IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource;
    /// <summary>Builds the application.</summary>
    DistributedApplication Build();
}

/// <summary>Whether the application runs or is published. The stand-in only runs.</summary>
public class DistributedApplicationExecutionContext
{
    /// <summary>Always true here.</summary>
    public bool IsRunMode => true;
    /// <summary>Always false here.</summary>
    public bool IsPublishMode => false;
}

/// <summary>Something in the application's description can't be.</summary>
public class DistributedApplicationException(string message) : Exception(message);

sealed class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    readonly HostApplicationBuilder host;
    readonly ResourceCollection resources = new();

    public DistributedApplicationBuilder(string[] args)
    {
        AppHostDirectory = Assembly.GetEntryAssembly()?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(attribute => attribute.Key == "apphostprojectpath")?.Value ?? Directory.GetCurrentDirectory();
        host = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { Args = args, ContentRootPath = AppHostDirectory });
        host.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        host.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromMinutes(1));
        host.Services.AddSingleton(TimeProvider.System);
        host.Services.AddSingleton(resources);
        host.Services.AddSingleton<ConsoleLog>();
        host.Services.AddSingleton(new DashboardProgram(AppHostDirectory));
        host.Services.AddSingleton<Dashboard>();
        host.Services.AddSingleton(_ => new ResourceNotificationService());
        host.Services.AddSingleton(services => new ResourceCommandService(services));
        host.Services.AddSingleton<Orchestrator>();
        // Before all others: it stops after them, and they may use the resources until they have stopped.
        host.Services.AddHostedService(services => services.GetRequiredService<Orchestrator>());
    }

    public ConfigurationManager Configuration => host.Configuration;
    public string AppHostDirectory { get; }
    public IHostEnvironment Environment => host.Environment;
    public IServiceCollection Services => host.Services;
    public DistributedApplicationExecutionContext ExecutionContext { get; } = new();
    public IResourceCollection Resources => resources;

    public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource
    {
        if (resources.Any(other => other.Name.Equals(resource.Name, StringComparison.OrdinalIgnoreCase)))
            throw new DistributedApplicationException($"There is a resource named '{resource.Name}' already.");
        resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource => new ResourceBuilder<T>(this, resource);

    public DistributedApplication Build() => new(host.Build());
}
