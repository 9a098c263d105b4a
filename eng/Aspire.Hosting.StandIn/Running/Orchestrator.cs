using System.Net;
using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>Starts what should run, each when what it waits for is healthy, and stops all of it in the opposite order.</summary>
sealed class Orchestrator(ResourceCollection resources, ResourceNotificationService notifications, Dashboard dashboard, ConsoleLog console, IHostEnvironment environment, TimeProvider time, ILoggerFactory logs) : IHostedService, IAsyncDisposable
{
    readonly ILogger log = logs.CreateLogger("Aspire.Hosting");
    readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(5) };
    readonly CancellationTokenSource life = new();
    List<Instance> instances = [];

    /// <summary>Chooses the ports and begins to start what is not started by command.</summary>
    public async Task StartAsync(CancellationToken cancellation)
    {
        foreach (var endpoint in resources.OfType<Resource>().SelectMany(resource => resource.Endpoints))
            endpoint.Allocated.TrySetResult(endpoint.Port ?? FreePort());
        await dashboard.StartAsync(cancellation);
        instances = [.. resources.OfType<Resource>().Select(resource => new Instance(resource, this))];
        foreach (var instance in instances)
            instance.Publish(snapshot => snapshot with { State = KnownResourceStates.NotStarted });
        _ = ShowStatesAsync(life.Token);
        foreach (var instance in instances.Where(instance => !instance.Resource.ExplicitStart))
            instance.BeginStart();
        log.LogInformation("Distributed application started. Press Ctrl+C to shut down.");
    }

    /// <summary>Stops every instance: those first that nobody who still runs waits for.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        var left = instances.ToList();
        while (left.Count > 0)
        {
            var needed = left.SelectMany(instance => instance.Resource.WaitsFor).ToHashSet();
            var next = left.Where(instance => !needed.Contains(instance.Resource)).ToList();
            if (next.Count == 0) next = left;
            await Task.WhenAll(next.Select(instance => instance.StopAsync()));
            left = [.. left.Except(next)];
        }
        await dashboard.DisposeAsync();
    }

    /// <summary>Executes a command for an instance.</summary>
    public async Task<bool> ExecuteAsync(string resourceId, string command, CancellationToken cancellation)
    {
        var instance = instances.FirstOrDefault(instance => instance.Id == resourceId || instance.Resource.Name == resourceId);
        if (instance is null) return false;
        if (command == KnownResourceCommands.StopCommand || command == KnownResourceCommands.RestartCommand)
            await instance.StopAsync().WaitAsync(cancellation);
        else if (command != KnownResourceCommands.StartCommand)
            return false;
        return command == KnownResourceCommands.StopCommand || await instance.StartAsync().WaitAsync(cancellation);
    }

    /// <summary>In place of the dashboard's list of resources: a line of the log for each state that one comes to.</summary>
    async Task ShowStatesAsync(CancellationToken cancellation)
    {
        var shown = new Dictionary<string, string?>();
        try
        {
            await foreach (var change in notifications.WatchAsync(cancellation))
            {
                var state = change.Snapshot.State?.Text;
                if (shown.TryGetValue(change.ResourceId, out var before) && before == state) continue;
                shown[change.ResourceId] = state;
                console.Write("resources", $"{change.Resource.Name}: {state}");
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested) { } // The end.
    }

    /// <summary>Kills what runs still.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        await life.CancelAsync();
        http.Dispose();
    }

    internal ResourceNotificationService Notifications => notifications;
    internal HttpClient Http => http;
    internal TimeProvider Time => time;
    internal ILogger Log => log;

    internal async Task<ChildProcess> LaunchAsync(Resource resource, string id, CancellationToken cancellation)
    {
        var command = await LaunchCommand.ForAsync(resource, id, dashboard.OtlpEndpoint, environment, cancellation);
        return ChildProcess.Start(command.Program, command.Arguments, command.WorkingDirectory, command.Environment, line => console.Write(resource.Name, line), command.CleanUp);
    }

    internal void Say(Resource resource, string line) => console.Write(resource.Name, line);

    internal Task HealthyAsync(IResource dependency, CancellationToken cancellation) => instances.Single(instance => instance.Resource == dependency).HealthyAsync(cancellation);

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
