using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Aspire.Hosting.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>The states that a resource goes through.</summary>
public static class KnownResourceStates
{
    /// <summary>Waits for a command.</summary>
    public static readonly string NotStarted = "NotStarted";
    /// <summary>Waits for another resource.</summary>
    public static readonly string Waiting = "Waiting";
    /// <summary>Its process is being started.</summary>
    public static readonly string Starting = "Starting";
    /// <summary>Its process exists.</summary>
    public static readonly string Running = "Running";
    /// <summary>It was asked to stop.</summary>
    public static readonly string Stopping = "Stopping";
    /// <summary>It ended by itself, with another exit code than 0.</summary>
    public static readonly string Exited = "Exited";
    /// <summary>It ended.</summary>
    public static readonly string Finished = "Finished";
    /// <summary>There is no such program, or what it waits for did not start.</summary>
    public static readonly string FailedToStart = "FailedToStart";
    /// <summary>The states that it leaves only by a new start.</summary>
    public static readonly IReadOnlyList<string> TerminalStates = [Finished, FailedToStart, Exited];
}

/// <summary>The commands that every process has.</summary>
public static class KnownResourceCommands
{
    /// <summary>Starts it.</summary>
    public static readonly string StartCommand = "start";
    /// <summary>Stops it: SIGTERM, and SIGKILL after 6 s.</summary>
    public static readonly string StopCommand = "stop";
    /// <summary>Stops and starts it.</summary>
    public static readonly string RestartCommand = "restart";
}

/// <summary>A state, with its text.</summary>
public sealed record ResourceStateSnapshot(string Text, string? Style)
{
    /// <summary>From the text alone.</summary>
    public static implicit operator ResourceStateSnapshot?(string? s) => s is null ? null : new(s, null);
}

/// <summary>A resource as it is at a moment.</summary>
public sealed record CustomResourceSnapshot
{
    /// <summary>What it is about.</summary>
    public ResourceStateSnapshot? State { get; init; }
    /// <summary>The exit code of its last process, once it ended.</summary>
    public int? ExitCode { get; init; }
    /// <summary>Its health; null while it does not run. Without a check, running is healthy.</summary>
    public HealthStatus? HealthStatus { get; internal init; }
}

/// <summary>A change of a resource.</summary>
public class ResourceEvent(IResource resource, string resourceId, CustomResourceSnapshot snapshot)
{
    /// <summary>The resource.</summary>
    public IResource Resource { get; } = resource;
    /// <summary>The instance, unique in this run: the name and eight letters.</summary>
    public string ResourceId { get; } = resourceId;
    /// <summary>How it is now.</summary>
    public CustomResourceSnapshot Snapshot { get; } = snapshot;
}

/// <summary>What a command came to.</summary>
public sealed class ExecuteCommandResult
{
    /// <summary>Whether it did what it should.</summary>
    public required bool Success { get; init; }
}

/// <summary>Tells of every change of a resource.</summary>
public class ResourceNotificationService
{
    readonly Lock gate = new();
    readonly Dictionary<string, ResourceEvent> current = [];
    readonly List<Channel<ResourceEvent>> watchers = [];

    internal ResourceNotificationService()
    {
    }

    /// <summary>The current state of every resource, then every change.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var watcher = Channel.CreateUnbounded<ResourceEvent>();
        lock (gate)
        {
            foreach (var change in current.Values)
                watcher.Writer.TryWrite(change);
            watchers.Add(watcher);
        }
        try
        {
            await foreach (var change in watcher.Reader.ReadAllAsync(cancellationToken))
                yield return change;
        }
        finally
        {
            lock (gate) watchers.Remove(watcher);
        }
    }

    /// <summary>Waits until a resource satisfies a condition.</summary>
    /// <returns>The event that did.</returns>
    public async Task<ResourceEvent> WaitForResourceAsync(string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default)
    {
        await foreach (var change in WatchAsync(cancellationToken))
            if (change.Resource.Name.Equals(resourceName, StringComparison.OrdinalIgnoreCase) && predicate(change))
                return change;
        throw new OperationCanceledException(cancellationToken);
    }

    internal void Publish(IResource resource, string resourceId, Func<CustomResourceSnapshot, CustomResourceSnapshot> change)
    {
        lock (gate)
        {
            var before = current.TryGetValue(resourceId, out var known) ? known.Snapshot : new CustomResourceSnapshot();
            var after = change(before);
            if (after == before) return;
            var news = current[resourceId] = new ResourceEvent(resource, resourceId, after);
            foreach (var watcher in watchers)
                watcher.Writer.TryWrite(news);
        }
    }
}

/// <summary>Starts and stops single instances.</summary>
public class ResourceCommandService
{
    readonly IServiceProvider services;

    internal ResourceCommandService(IServiceProvider services) => this.services = services;

    /// <summary>Executes a command (<see cref="KnownResourceCommands"/>) for an instance.</summary>
    /// <param name="resourceId">The instance's id, or its resource's name.</param>
    /// <param name="commandName">The command.</param>
    /// <param name="cancellationToken">Gives up waiting for it.</param>
    public async Task<ExecuteCommandResult> ExecuteCommandAsync(string resourceId, string commandName, CancellationToken cancellationToken = default) =>
        new() { Success = await services.GetRequiredService<Orchestrator>().ExecuteAsync(resourceId, commandName, cancellationToken) };
}
