using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Muse.Queue;

namespace Muse.AppHost;

/// <summary>Keeps as many workers running as the autoscaler wrote down: measures, asks <see cref="PoolPlan"/>, acts.</summary>
/// <remarks>
/// One loop owns the places; commands run beside it, since a stop takes seconds. A worker is drained over Redis before it is stopped:
/// after SIGTERM it has 6 s, and Aspire does not say whether it needed them.
/// </remarks>
sealed partial class WorkerPool(IWorkerFleet fleet, AppHostSettings settings, ResourceNotificationService notifications, ResourceCommandService commands, TimeProvider time, ILogger<WorkerPool> log) : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan LongestDrain = TimeSpan.FromSeconds(30);
    static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    readonly List<Place> places = [.. Enumerable.Range(0, settings.MaxWorkers).Select(index => new Place(index))];
    readonly DateTimeOffset begun = time.GetUtcNow();
    int wanted = settings.MinWorkers;
    IReadOnlyList<WorkerHeartbeat> heartbeats = [];
    bool reachable = true;

    /// <summary>The name of a worker's resource.</summary>
    public static string Name(int index) => $"worker-{index}";

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var changes = Channel.CreateUnbounded<ResourceEvent>();
        var watch = WatchAsync(changes.Writer, stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                while (changes.Reader.TryRead(out var change))
                    Notice(change);
                await ListenAsync(stoppingToken);
                foreach (var (index, move) in PoolPlan.Decide(wanted, [.. places.Select(Facts)], time.GetUtcNow()))
                    await ActAsync(places[index], move, stoppingToken);
            } while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { } // Aspire stops the workers now.
        await watch;
    }

    async Task WatchAsync(ChannelWriter<ResourceEvent> changes, CancellationToken cancellation)
    {
        try
        {
            await foreach (var change in notifications.WatchAsync(cancellation))
                await changes.WriteAsync(change, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested) { } // The end.
    }

    /// <summary>What Aspire says of the processes.</summary>
    void Notice(ResourceEvent change)
    {
        if (places.Find(place => place.Name == change.Resource.Name) is not { } place)
            return;
        place.Id = change.ResourceId;
        var state = change.Snapshot.State?.Text;
        if (state == KnownResourceStates.Starting || state == KnownResourceStates.Running)
            place.Began = true;
        else if (place.Began && KnownResourceStates.TerminalStates.Contains(state))
            Ended(place, change.Snapshot.ExitCode);
    }

    void Ended(Place place, int? exitCode)
    {
        place.Began = false;
        if (place.Phase != SlotPhase.Live)
        {
            place.Phase = SlotPhase.Idle;
            return;
        }
        var now = time.GetUtcNow();
        place.Deaths = now - place.Since > LongestPause ? 1 : place.Deaths + 1;
        var pause = TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, Math.Pow(2, place.Deaths - 1)));
        (place.Phase, place.Until) = (SlotPhase.BackingOff, now + pause);
        LogDied(place.Name, exitCode, pause.TotalSeconds);
    }

    /// <summary>What the autoscaler and the workers say. While Redis is away, what they said last holds, and nobody is stopped for it.</summary>
    async Task ListenAsync(CancellationToken cancellation)
    {
        try
        {
            heartbeats = await fleet.WorkersAsync(cancellation);
            // A decision of an earlier run says nothing about this one.
            if (await fleet.DecisionAsync(cancellation) is { } decision && decision.At >= begun && Math.Clamp(decision.Workers, settings.MinWorkers, settings.MaxWorkers) is var number && number != wanted)
            {
                LogWanted(number, wanted, decision.Reason);
                wanted = number;
            }
            reachable = true;
        }
        catch (QueueUnavailableException failure)
        {
            if (reachable)
                LogUnreachable(failure.Message);
            reachable = false;
        }
    }

    SlotFacts Facts(Place place)
    {
        var heartbeat = place.Phase is SlotPhase.Live or SlotPhase.Draining ? Heartbeat(place) : null;
        return new(place.Index, place.Phase, place.Until, heartbeat?.Batch.Count, heartbeat is { State: WorkerState.Draining, Batch.Count: 0 });
    }

    /// <summary>Its worker's latest, of this life: one of a worker that died may be remembered still.</summary>
    WorkerHeartbeat? Heartbeat(Place place) => heartbeats.Where(heartbeat => heartbeat.Instance == place.Name && heartbeat.At >= place.Since).MaxBy(heartbeat => heartbeat.At);

    async Task ActAsync(Place place, PoolMove move, CancellationToken cancellation)
    {
        switch (move)
        {
            case PoolMove.Start when place.Id is { } id && place.Command.IsCompleted:
                (place.Phase, place.Since, place.Began) = (SlotPhase.Live, time.GetUtcNow(), false);
                place.Command = CommandAsync(place, id, KnownResourceCommands.StartCommand, cancellation);
                break;
            case PoolMove.Drain when reachable && Heartbeat(place) is { } heartbeat:
                try
                {
                    await fleet.RequestDrainAsync(heartbeat.Worker, cancellation);
                    (place.Phase, place.Until) = (SlotPhase.Draining, time.GetUtcNow() + LongestDrain);
                    LogDraining(place.Name, heartbeat.Batch.Count);
                }
                catch (QueueUnavailableException failure) { LogUnreachable(failure.Message); } // The next round tries again.
                break;
            case PoolMove.Stop when reachable && place.Id is { } id && place.Command.IsCompleted:
                place.Phase = SlotPhase.Stopping;
                place.Command = CommandAsync(place, id, KnownResourceCommands.StopCommand, cancellation);
                break;
            case PoolMove.Forget:
                place.Phase = SlotPhase.Idle;
                break;
        }
    }

    async Task CommandAsync(Place place, string id, string command, CancellationToken cancellation)
    {
        try
        {
            var result = await commands.ExecuteCommandAsync(id, command, cancellation);
            LogCommand(command, place.Name, result.Success);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested) { } // The end.
    }

    [LoggerMessage(1, LogLevel.Information, "{Wanted} workers wanted, {Before} before: {Reason}")]
    partial void LogWanted(int wanted, int before, string reason);

    [LoggerMessage(2, LogLevel.Information, "{Worker} drains: it hands back {Pictures} pictures")]
    partial void LogDraining(string worker, int pictures);

    [LoggerMessage(3, LogLevel.Warning, "{Worker} died with exit code {ExitCode}; it is started again in {Seconds} s")]
    partial void LogDied(string worker, int? exitCode, double seconds);

    [LoggerMessage(4, LogLevel.Warning, "Redis can't be reached, so the number of workers stays as it is: {Why}")]
    partial void LogUnreachable(string why);

    [LoggerMessage(5, LogLevel.Information, "{Command} {Worker}: success {Success}")]
    partial void LogCommand(string command, string worker, bool success);

    sealed class Place(int index)
    {
        public int Index => index;
        public string Name { get; } = WorkerPool.Name(index);
        public string? Id { get; set; }
        public SlotPhase Phase { get; set; }
        public DateTimeOffset Until { get; set; }
        /// <summary>When it was last started.</summary>
        public DateTimeOffset Since { get; set; }
        /// <summary>Aspire has said since then that it starts: an end that comes later is this life's.</summary>
        public bool Began { get; set; }
        public int Deaths { get; set; }
        public Task Command { get; set; } = Task.CompletedTask;
    }
}
