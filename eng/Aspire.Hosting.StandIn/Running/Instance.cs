using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Running;

/// <summary>The one instance of a resource: starts, watches and stops its process.</summary>
sealed class Instance
{
    /// <summary>Aspire's own: between SIGTERM and SIGKILL.</summary>
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(6);
    static readonly TimeSpan UntilHealthy = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan WhileHealthy = TimeSpan.FromSeconds(5);

    readonly Orchestrator owner;
    readonly SemaphoreSlim turn = new(1);
    CancellationTokenSource life = new();
    ChildProcess? process;
    Task watch = Task.CompletedTask;
    Task start = Task.CompletedTask;

    public Instance(Resource resource, Orchestrator owner)
    {
        this.owner = owner;
        Resource = resource;
        Id = $"{resource.Name}-{string.Concat(Guid.NewGuid().ToByteArray().Take(8).Select(value => (char)('a' + value % 26)))}";
    }

    public Resource Resource { get; }
    public string Id { get; }

    public void Publish(Func<CustomResourceSnapshot, CustomResourceSnapshot> change) => owner.Notifications.Publish(Resource, Id, change);

    /// <summary>Starts it in the background, once what it waits for is healthy.</summary>
    public void BeginStart() => start = StartAsync();

    /// <summary>Starts it unless it runs, once what it waits for is healthy.</summary>
    /// <returns>Whether its process was started (not: whether it is healthy).</returns>
    public async Task<bool> StartAsync()
    {
        await turn.WaitAsync();
        try
        {
            if (!watch.IsCompleted) return true;
            life = new CancellationTokenSource();
            if (Resource.WaitsFor.Count > 0)
            {
                Publish(snapshot => snapshot with { State = KnownResourceStates.Waiting, ExitCode = null });
                await Task.WhenAll(Resource.WaitsFor.Select(dependency => owner.HealthyAsync(dependency, life.Token)));
            }
            Publish(snapshot => snapshot with { State = KnownResourceStates.Starting, ExitCode = null });
            foreach (var (command, help) in Resource.RequiredCommands.Where(required => ChildProcess.OnPath(required.Command) is null))
                owner.Say(Resource, $"It needs the program '{command}', which is not on the PATH.{(help is null ? "" : $" How to install it: {help}")}");
            if (Resource is ProjectResource or ExecutableResource or ContainerResource)
            {
                process = await owner.LaunchAsync(Resource, Id, life.Token);
                watch = WatchAsync(process);
            }
            Publish(snapshot => snapshot with { State = KnownResourceStates.Running, HealthStatus = Resource.HealthChecks.Count == 0 ? HealthStatus.Healthy : HealthStatus.Unhealthy });
            if (Resource.HealthChecks.Count > 0)
                _ = CheckHealthAsync(life.Token);
            return true;
        }
        catch (OperationCanceledException) when (life.IsCancellationRequested)
        {
            Publish(snapshot => snapshot with { State = KnownResourceStates.Finished });
            return false;
        }
        catch (DistributedApplicationException failure)
        {
            owner.Say(Resource, failure.Message);
            Publish(snapshot => snapshot with { State = KnownResourceStates.FailedToStart });
            return false;
        }
        finally { turn.Release(); }
    }

    /// <summary>Stops it: SIGTERM, and SIGKILL after the grace. Does nothing where it does not run.</summary>
    public async Task StopAsync()
    {
        await life.CancelAsync();
        await turn.WaitAsync();
        try
        {
            if (process is null) return;
            if (!watch.IsCompleted)
            {
                Publish(snapshot => snapshot with { State = KnownResourceStates.Stopping });
                if (!await process.StopAsync(Grace, owner.Time))
                    owner.Say(Resource, $"Killed: it did not end within {Grace.TotalSeconds} s of SIGTERM.");
            }
            await watch;
            await process.DisposeAsync();
            process = null;
        }
        finally { turn.Release(); }
    }

    /// <summary>Completes once it runs and is healthy.</summary>
    /// <exception cref="DistributedApplicationException">It ended.</exception>
    public async Task HealthyAsync(CancellationToken cancellation)
    {
        var last = await owner.Notifications.WaitForResourceAsync(Resource.Name, change =>
            change.Snapshot.HealthStatus == HealthStatus.Healthy || KnownResourceStates.TerminalStates.Contains(change.Snapshot.State?.Text), cancellation);
        if (last.Snapshot.HealthStatus != HealthStatus.Healthy)
            throw new DistributedApplicationException($"Not started: '{Resource.Name}', which it waits for, is {last.Snapshot.State?.Text}.");
    }

    async Task WatchAsync(ChildProcess running)
    {
        var code = await running.Exit;
        var asked = life.IsCancellationRequested;
        await life.CancelAsync();
        if (!asked) owner.Say(Resource, $"Ended with exit code {code}.");
        Publish(snapshot => snapshot with { State = asked || code == 0 ? KnownResourceStates.Finished : KnownResourceStates.Exited, ExitCode = code, HealthStatus = null });
    }

    async Task CheckHealthAsync(CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                var healthy = await IsHealthyAsync(cancellation);
                cancellation.ThrowIfCancellationRequested();
                Publish(snapshot => snapshot.State?.Text != KnownResourceStates.Running ? snapshot
                    : snapshot with { HealthStatus = healthy ? HealthStatus.Healthy : HealthStatus.Unhealthy });
                await Task.Delay(healthy ? WhileHealthy : UntilHealthy, owner.Time, cancellation);
            }
        }
        catch (OperationCanceledException) { } // It was stopped.
        catch (Exception failure) { owner.Log.LogError(failure, "The health check of {Resource} failed.", Resource.Name); }
    }

    async Task<bool> IsHealthyAsync(CancellationToken cancellation)
    {
        try
        {
            foreach (var check in Resource.HealthChecks)
                if (!await check(owner.Http, cancellation)) return false;
            return true;
        }
        catch (Exception failure) when (failure is HttpRequestException || failure is OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return false; // It does not listen yet, or did not answer in time.
        }
    }
}
