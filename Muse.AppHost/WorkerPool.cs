using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Muse.Queue;

namespace Muse.AppHost;

/// <summary>Keeps as many workers running as the autoscaler decided: measures, calls <see cref="PoolPlan"/>, acts.</summary>
/// <remarks>
/// One loop owns the workers' state. Aspire's events and the dashboard's commands reach it as messages. Start and stop commands run
/// beside it, since they take seconds. A worker is drained over Redis before it is stopped: after SIGTERM it has 6 s, and Aspire does
/// not say whether it needed them.
/// </remarks>
sealed partial class WorkerPool(
    IWorkerFleet fleet,
    AppHostSettings settings,
    ResourceNotificationService notifications,
    ResourceCommandService commands,
    TimeProvider time,
    ILogger<WorkerPool> log) : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(30);
    static readonly TimeSpan LongestBackOff = TimeSpan.FromMinutes(1);

    readonly List<PoolWorker> workers = [.. Enumerable.Range(0, settings.MaxWorkers).Select(index => new PoolWorker(index))];
    readonly Channel<int> drainRequests = Channel.CreateUnbounded<int>();
    readonly DateTimeOffset started = time.GetUtcNow();
    int wanted = settings.MinWorkers;
    IReadOnlyList<WorkerHeartbeat> heartbeats = [];
    bool isRedisAvailable = true;

    /// <summary>The name of a worker's resource.</summary>
    public static string Name(int index) => $"worker-{index}";

    /// <summary>Takes a worker out of service: it hands back its work and is stopped. If it is still needed, another one starts.</summary>
    public void RequestDrain(int index) => drainRequests.Writer.TryWrite(index);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var events = Channel.CreateUnbounded<ResourceEvent>();
        var watch = WatchAsync(events.Writer, stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                while (events.Reader.TryRead(out var change))
                    Apply(change);
                foreach (var worker in workers.Where(worker => worker.Command is { IsCompleted: true, Result: false }))
                    CommandFailed(worker);
                await MeasureAsync(stoppingToken);
                while (drainRequests.Reader.TryRead(out var index))
                    workers[index].DrainRequested = workers[index].Phase == WorkerPhase.Live;
                foreach (var worker in workers.Where(worker => worker.DrainRequested))
                    await DrainAsync(worker, stoppingToken);
                foreach (var (index, action) in PoolPlan.Decide(wanted, [.. workers.Select(Facts)], time.GetUtcNow()))
                    await ActAsync(workers[index], action, stoppingToken);
            } while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { } // Aspire stops the workers now.
        await watch;
    }

    async Task WatchAsync(ChannelWriter<ResourceEvent> events, CancellationToken cancellation)
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(cancellation))
                await events.WriteAsync(change, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested) { } // The end.
    }

    /// <summary>Applies an event of Aspire to the worker that it is about.</summary>
    void Apply(ResourceEvent change)
    {
        if (workers.Find(worker => worker.Name == change.Resource.Name) is not { } worker)
            return;
        worker.ResourceId = change.ResourceId;
        var state = change.Snapshot.State?.Text;
        if (state == KnownResourceStates.Starting || state == KnownResourceStates.Running)
            worker.ProcessSeen = true;
        else if (worker.ProcessSeen && KnownResourceStates.TerminalStates.Contains(state))
            ProcessEnded(worker, change.Snapshot.ExitCode);
    }

    void ProcessEnded(PoolWorker worker, int? exitCode)
    {
        (worker.ProcessSeen, worker.DrainRequested) = (false, false);
        if (worker.Phase == WorkerPhase.Live)
            LogCrashed(worker.Name, exitCode, BackOff(worker).TotalSeconds);
        else if (worker.Phase != WorkerPhase.BackingOff)
            worker.Phase = WorkerPhase.Idle;
    }

    void CommandFailed(PoolWorker worker)
    {
        worker.Command = PoolWorker.NoCommand;
        // Where Aspire has reported a process, it reports its end, too.
        if (worker is { Phase: WorkerPhase.Live, ProcessSeen: false })
            LogNotStarted(worker.Name, BackOff(worker).TotalSeconds);
        else if (worker.Phase == WorkerPhase.Stopping)
            (worker.Phase, worker.Until) = (WorkerPhase.Draining, time.GetUtcNow()); // It is stopped again.
    }

    /// <summary>Lets a worker that ended, or could not be started, wait until it is started again.</summary>
    /// <returns>How long it waits.</returns>
    TimeSpan BackOff(PoolWorker worker)
    {
        var now = time.GetUtcNow();
        worker.Crashes = now - worker.StartedAt > LongestBackOff ? 1 : worker.Crashes + 1;
        var backOff = TimeSpan.FromSeconds(Math.Min(LongestBackOff.TotalSeconds, Math.Pow(2, worker.Crashes - 1)));
        (worker.Phase, worker.Until) = (WorkerPhase.BackingOff, now + backOff);
        return backOff;
    }

    /// <summary>
    /// Reads the decision and the heartbeats. While Redis can't be reached, the last ones hold, and no worker is stopped.
    /// </summary>
    async Task MeasureAsync(CancellationToken cancellation)
    {
        try
        {
            heartbeats = await fleet.WorkersAsync(cancellation);
            // A decision of an earlier run says nothing about this one.
            if (await fleet.LatestDecisionAsync(cancellation) is { } decision && decision.At >= started)
            {
                var number = Math.Clamp(decision.Workers, settings.MinWorkers, settings.MaxWorkers);
                if (number != wanted)
                    LogWanted(number, wanted, decision.Reason);
                wanted = number;
            }
            isRedisAvailable = true;
        }
        catch (QueueUnavailableException exception)
        {
            if (isRedisAvailable)
                LogRedisUnavailable(exception.Message);
            isRedisAvailable = false;
        }
    }

    WorkerFacts Facts(PoolWorker worker)
    {
        var heartbeat = worker.Phase is WorkerPhase.Live or WorkerPhase.Draining ? LatestHeartbeat(worker) : null;
        var handedBack = heartbeat is { State: WorkerState.Draining, Batch.Count: 0 };
        return new(worker.Index, worker.Phase, worker.Until, heartbeat?.Batch.Count, handedBack);
    }

    /// <summary>The latest heartbeat of the worker's present process. One of a process that crashed may still be stored.</summary>
    WorkerHeartbeat? LatestHeartbeat(PoolWorker worker) => heartbeats
        .Where(heartbeat => heartbeat.Instance == worker.Name && heartbeat.At >= worker.StartedAt)
        .MaxBy(heartbeat => heartbeat.At);

    async Task ActAsync(PoolWorker worker, PoolAction action, CancellationToken cancellation)
    {
        switch (action)
        {
            case PoolAction.Start when worker is { ResourceId: { } id, Command.IsCompleted: true }:
                (worker.Phase, worker.StartedAt, worker.ProcessSeen) = (WorkerPhase.Live, time.GetUtcNow(), false);
                worker.Command = ExecuteAsync(worker, id, KnownResourceCommands.StartCommand, cancellation);
                break;
            case PoolAction.Drain:
                await DrainAsync(worker, cancellation);
                break;
            case PoolAction.Stop when isRedisAvailable && worker is { ResourceId: { } id, Command.IsCompleted: true }:
                worker.Phase = WorkerPhase.Stopping;
                worker.Command = ExecuteAsync(worker, id, KnownResourceCommands.StopCommand, cancellation);
                break;
            case PoolAction.Forget:
                worker.Phase = WorkerPhase.Idle;
                break;
        }
    }

    /// <summary>
    /// Asks a worker to hand back its images. Without Redis or a heartbeat nothing happens, and the loop tries again.
    /// </summary>
    async Task DrainAsync(PoolWorker worker, CancellationToken cancellation)
    {
        if (!isRedisAvailable || worker.Phase != WorkerPhase.Live || LatestHeartbeat(worker) is not { } heartbeat)
            return;
        try
        {
            await fleet.RequestDrainAsync(heartbeat.Worker, cancellation);
            (worker.Phase, worker.Until) = (WorkerPhase.Draining, time.GetUtcNow() + LongestDrain);
            worker.DrainRequested = false;
            LogDraining(worker.Name, heartbeat.Batch.Count);
        }
        catch (QueueUnavailableException exception)
        {
            LogRedisUnavailable(exception.Message);
        }
    }

    /// <summary>Executes a command of Aspire.</summary>
    /// <returns>Whether it succeeded. At the end of the application it is cancelled, which is no failure.</returns>
    async Task<bool> ExecuteAsync(PoolWorker worker, string resourceId, string command, CancellationToken cancellation)
    {
        var result = await commands.ExecuteCommandAsync(resourceId, command, cancellation);
        if (result.Success || cancellation.IsCancellationRequested)
            return true;
        LogCommandFailed(command, worker.Name, result.Message);
        return false;
    }

    [LoggerMessage(1, LogLevel.Information, "Workers wanted: {Wanted} (before: {Before}). {Reason}")]
    partial void LogWanted(int wanted, int before, string reason);

    [LoggerMessage(2, LogLevel.Information, "{Worker} is drained: it hands back {Images} images in progress, then it is stopped.")]
    partial void LogDraining(string worker, int images);

    [LoggerMessage(3, LogLevel.Warning, "{Worker} ended unexpectedly with exit code {ExitCode}. It is started again in {Seconds} s.")]
    partial void LogCrashed(string worker, int? exitCode, double seconds);

    [LoggerMessage(4, LogLevel.Warning, "Redis can't be reached, so the number of workers stays as it is: {Message}")]
    partial void LogRedisUnavailable(string message);

    [LoggerMessage(5, LogLevel.Warning, "The command {Command} failed for {Worker}: {Message}")]
    partial void LogCommandFailed(string command, string worker, string? message);

    [LoggerMessage(6, LogLevel.Warning, "{Worker} could not be started. It is tried again in {Seconds} s.")]
    partial void LogNotStarted(string worker, double seconds);

    /// <summary>A worker's state in the loop.</summary>
    sealed class PoolWorker(int index)
    {
        public int Index => index;
        public string Name { get; } = WorkerPool.Name(index);
        /// <summary>The id that Aspire's commands take; null until Aspire has named it.</summary>
        public string? ResourceId { get; set; }
        public WorkerPhase Phase { get; set; }
        public DateTimeOffset Until { get; set; }
        /// <summary>When it was last started.</summary>
        public DateTimeOffset StartedAt { get; set; }
        /// <summary>Aspire has reported a process since then, so the end that it reports next is this process' end.</summary>
        public bool ProcessSeen { get; set; }
        /// <summary>The user asked to drain it. That holds until it is drained, or until its process has ended.</summary>
        public bool DrainRequested { get; set; }
        /// <summary>How often it has ended unexpectedly, or could not be started, in a row.</summary>
        public int Crashes { get; set; }
        /// <summary>The latest command of Aspire, and whether it succeeded.</summary>
        public Task<bool> Command { get; set; } = NoCommand;

        public static readonly Task<bool> NoCommand = Task.FromResult(true);
    }
}
