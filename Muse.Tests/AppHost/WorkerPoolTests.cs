using System.Collections.Concurrent;
using System.Runtime.Versioning;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.AppHost;
using Muse.Queue;
using StartCommand = System.Func<Aspire.Hosting.ApplicationModel.ExecuteCommandContext,
    System.Threading.Tasks.Task<Aspire.Hosting.ApplicationModel.ExecuteCommandResult>>;

namespace Muse.Tests.AppHost;

/// <summary>The pool over real processes that real Aspire starts and stops; what Redis would say comes from the test.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class WorkerPoolTests : IAsyncLifetime
{
    readonly IDistributedApplicationBuilder builder = DistributedApplication.CreateBuilder(
        new DistributedApplicationOptions { AssemblyName = typeof(WorkerPool).Assembly.GetName().Name, DisableDashboard = true });
    readonly FakeFleet fleet = new();
    readonly ConcurrentDictionary<string, string> states = new();
    readonly string folder = Directory.CreateTempSubdirectory("muse-pool-").FullName;
    DistributedApplication? app;
    WorkerPool? pool;

    [Fact]
    public async Task The_fewest_workers_start_at_once_without_a_decision()
    {
        await StartAsync(min: 2, max: 4);
        await Running("worker-0", "worker-1");
    }

    [Fact]
    public async Task A_decision_of_an_earlier_run_is_not_followed()
    {
        fleet.Decide(4, DateTimeOffset.UtcNow.AddDays(-1));
        await StartAsync(min: 1, max: 4);
        await Running("worker-0");
        var reads = fleet.Reads;
        await Until(() => fleet.Reads > reads + 2);
        Assert.Equal(["worker-0"], Live());
    }

    [Fact]
    public async Task Workers_come_when_more_are_wanted_and_the_least_busy_hands_back_its_work_before_it_is_stopped()
    {
        await StartAsync(min: 1, max: 3);
        await Running("worker-0");
        fleet.Decide(3);
        await Running("worker-0", "worker-1", "worker-2");

        fleet.Beat("worker-0", WorkerState.Ready, 9);
        fleet.Beat("worker-1", WorkerState.Ready, 2);
        fleet.Beat("worker-2", WorkerState.Ready, 5);
        await Until(() => fleet.HasSeen("worker-2"));
        fleet.Decide(2);
        await Until(() => fleet.Drained.Contains("process of worker-1"));
        // It still holds two images.
        var reads = fleet.Reads;
        await Until(() => fleet.Reads > reads + 2);
        Assert.Equal(["worker-0", "worker-1", "worker-2"], Live());

        fleet.Beat("worker-1", WorkerState.Draining, 0);
        await Running("worker-0", "worker-2");
        Assert.Single(fleet.Drained);
    }

    [Fact]
    public async Task A_worker_that_ends_unexpectedly_is_started_again()
    {
        await StartAsync(min: 1, max: 2, script: $"echo >> {folder}/lives; [ $(wc -l < {folder}/lives) -gt 1 ] || exit 3; {Endless}");
        await Until(() => File.Exists($"{folder}/lives") && File.ReadAllLines($"{folder}/lives").Length == 2);
        await Running("worker-0");
    }

    [Fact]
    public async Task A_worker_that_Aspire_can_not_start_is_started_again()
    {
        var attempts = 0;
        fleet.OnRead = () => WrapStartCommand(start => context =>
            Interlocked.Increment(ref attempts) == 1 ? Task.FromResult(CommandResults.Failure("as the test says")) : start(context));
        await StartAsync(min: 1, max: 1);
        await Running("worker-0");
        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task While_Redis_is_unavailable_no_worker_is_stopped()
    {
        await StartAsync(min: 2, max: 2);
        await Running("worker-0", "worker-1");
        fleet.Unavailable = true;
        var reads = fleet.Reads;
        await Until(() => fleet.Reads > reads + 2);
        Assert.Equal(["worker-0", "worker-1"], Live());
    }

    [Fact]
    public async Task A_drain_requested_while_Redis_is_away_is_done_when_it_is_back()
    {
        await StartAsync(min: 1, max: 2);
        await Running("worker-0");
        fleet.Beat("worker-0", WorkerState.Ready, 1);
        await Until(() => fleet.HasSeen("worker-0"));
        fleet.Unavailable = true;
        var reads = fleet.Reads;
        await Until(() => fleet.Reads > reads + 2);
        pool!.RequestDrain(0);
        reads = fleet.Reads;
        await Until(() => fleet.Reads > reads + 2);
        Assert.Empty(fleet.Drained);

        fleet.Unavailable = false;
        await Running("worker-0", "worker-1");
        fleet.Beat("worker-0", WorkerState.Draining, 0);
        await Running("worker-1");
        Assert.Equal(["process of worker-0"], fleet.Drained);
    }

    const string Endless = "trap 'exit 0' TERM; sleep 1000 & wait";

    async Task StartAsync(int min, int max, string script = Endless)
    {
        for (var index = 0; index < max; index++)
            builder.AddExecutable(WorkerPool.Name(index), "/bin/sh", folder, "-c", script).WithExplicitStart();
        builder.Services.AddHostedService(services => pool = new WorkerPool(
            fleet,
            new AppHostSettings { MinWorkers = min, MaxWorkers = max },
            services.GetRequiredService<ResourceNotificationService>(),
            services.GetRequiredService<ResourceCommandService>(),
            TimeProvider.System,
            NullLogger<WorkerPool>.Instance));
        app = builder.Build();
        _ = FollowAsync(app.ResourceNotifications);
        await app.StartAsync();
    }

    // Aspire adds its own commands while it starts.
    void WrapStartCommand(Func<StartCommand, StartCommand> wrap)
    {
        var annotations = builder.Resources.Single(resource => resource.Name == "worker-0").Annotations;
        if (annotations.OfType<ResourceCommandAnnotation>().SingleOrDefault(command => command.Name == KnownResourceCommands.StartCommand)
            is not { } command)
        {
            return;
        }
        fleet.OnRead = null;
        annotations.Remove(command);
        annotations.Add(new ResourceCommandAnnotation(command.Name, command.DisplayName, command.UpdateState, wrap(command.ExecuteCommand),
            null, null, null, null, null, false));
    }

    async Task FollowAsync(ResourceNotificationService notifications)
    {
        await foreach (var change in notifications.WatchAsync())
            states[change.Resource.Name] = change.Snapshot.State?.Text ?? "";
    }

    string[] Live() => [.. states.Where(state => state.Value == KnownResourceStates.Running).Select(state => state.Key).Order()];

    Task Running(params string[] names) => Until(() => Live().SequenceEqual(names));

    static Task Until(Func<bool> condition) => Processes.UntilAsync(condition, AppHostProcess.Limit);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (app is not null)
        {
            await app.StopAsync();
            await app.DisposeAsync();
        }
        Directory.Delete(folder, recursive: true);
    }

    sealed class FakeFleet : IWorkerFleet
    {
        readonly ConcurrentDictionary<string, WorkerHeartbeat> heartbeats = new();
        readonly ConcurrentDictionary<string, bool> seen = new();
        ScalingDecision? decision;
        int reads;

        public ConcurrentQueue<string> Drained { get; } = new();
        public int Reads => Volatile.Read(ref reads);
        public bool Unavailable { get; set; }
        /// <summary>Done at each reading, if anything.</summary>
        public Action? OnRead { get; set; }

        public bool HasSeen(string instance) => seen.ContainsKey(instance);

        public void Decide(int workers, DateTimeOffset? at = null) =>
            decision = new(workers, "as the test says", at ?? DateTimeOffset.UtcNow, "test", new(0, 0, null, 0, 0, DateTimeOffset.UtcNow));

        public void Beat(string instance, WorkerState state, int batch) => heartbeats[instance] = new()
        {
            Worker = $"process of {instance}",
            Instance = instance,
            State = state,
            Device = "none",
            StartedAt = DateTimeOffset.UtcNow,
            At = DateTimeOffset.UtcNow,
            Slots = 12,
            Batch = [.. Enumerable.Range(0, batch).Select(place => new BatchSlot(place, "job", 0, 1, 20))],
        };

        public Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation)
        {
            Interlocked.Increment(ref reads);
            OnRead?.Invoke();
            if (Unavailable)
                throw new QueueUnavailableException("away");
            foreach (var instance in heartbeats.Keys)
                seen[instance] = true;
            return Task.FromResult<IReadOnlyList<WorkerHeartbeat>>([.. heartbeats.Values]);
        }

        public Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation) => Task.FromResult(decision);

        public Task RequestDrainAsync(string worker, CancellationToken cancellation)
        {
            Drained.Enqueue(worker);
            return Task.CompletedTask;
        }
    }
}
