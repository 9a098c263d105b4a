using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public sealed class AutoscalerLoopTests
{
    readonly SettableClock time = new();
    readonly FakeFleet fleet;
    readonly RecordingActor actor;
    readonly LinesLogger lines = new();
    AutoscalerOptions options = new() { MinWorkers = 1, MaxWorkers = 8, Interval = TimeSpan.FromSeconds(30), Tolerance = 0.1 };
    Leadership? leadership;
    AutoscalerLoop? loop;

    public AutoscalerLoopTests()
    {
        fleet = new(time);
        actor = new() { Decisions = () => fleet.Decisions.Count };
    }

    AutoscalerLoop Loop => loop ??= Build();

    AutoscalerLoop Build()
    {
        var wrapped = Options.Create(options);
        var clock = new MonotonicClock(time);
        var gauge = new FleetGauge(fleet, wrapped, clock, lines.For<FleetGauge>());
        leadership = new(fleet, time, lines.For<Leadership>());
        return new(fleet, leadership, gauge, AutoscalerHosting.Policy(options), actor, wrapped, clock, time, lines.For<AutoscalerLoop>());
    }

    async Task<int?> TickAsync(double after = 30)
    {
        time.Advance(TimeSpan.FromSeconds(after));
        var ticked = Loop;
        await leadership!.RenewAsync(default);
        return (await ticked.TickAsync(default))?.Workers;
    }

    /// <summary>Ticks until the number falls, and returns the number of ticks.</summary>
    async Task<int> TicksUntilBelow(int workers)
    {
        for (var ticks = 1; ticks < 100; ticks++)
        {
            if (await TickAsync() < workers)
                return ticks;
        }

        return int.MaxValue;
    }

    [Fact]
    public async Task It_measures_decides_stores_the_decision_and_acts()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        Assert.Equal(4, await TickAsync());
        var decision = Assert.Single(fleet.Decisions);
        Assert.Equal((4, "drain", time.GetUtcNow(), 100L), (decision.Workers, decision.Policy, decision.At, decision.Measured.Waiting));
        Assert.Equal([4], actor.Requested);
        Assert.Contains(lines.All, line => line.StartsWith("4 workers: 100 waiting and 12 in progress"));
    }

    [Fact]
    public async Task After_a_restart_the_last_decision_is_held_for_the_window()
    {
        fleet.Decisions.Add(new(5, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(5, busy: 0);
        // The window begins at the first tick; the numbers before it are unknown.
        Assert.Equal(1 + (int)(options.StabilisationWindow / options.Interval) + 1, await TicksUntilBelow(5) + 1);
        Assert.Equal(1, fleet.Decisions[^1].Workers);
    }

    [Fact]
    public async Task While_Redis_is_unavailable_the_last_decision_stays_in_force_and_the_log_says_so()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        await TickAsync();
        fleet.Failure = new QueueUnavailableException("Redis at 127.0.0.1:6379 can't be reached.");
        for (var i = 0; i < 20; i++)
            Assert.Null(await TickAsync());
        Assert.Equal([4], actor.Requested);
        Assert.Single(lines.All, line => line.StartsWith("The leader's lease could not be taken or renewed.")
            && line.EndsWith("the last decision stays in force. Redis at 127.0.0.1:6379 can't be reached."));

        // Redis is back and nothing waits. The time without Redis does not count towards the window.
        fleet.Failure = null;
        (fleet.Waiting, fleet.Pending) = (0, 0);
        Assert.Equal(4, await TickAsync());
    }

    [Fact]
    public async Task A_measurement_that_fails_while_the_lease_is_held_keeps_the_last_decision_in_force_and_the_log_says_so()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        await TickAsync();
        fleet.Failure = new QueueUnavailableException("Redis at 127.0.0.1:6379 can't be reached.");
        Assert.Null(await Loop.TickAsync(default));
        Assert.Contains(
            "The queue could not be measured. The last decision, 4 workers, stays in force. Redis at 127.0.0.1:6379 can't be reached.",
            lines.All);
    }

    [Fact]
    public async Task Without_the_lease_nothing_is_decided()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        fleet.Epoch = 0;
        Assert.Null(await TickAsync());
        Assert.Empty(fleet.Decisions);
        Assert.Empty(actor.Requested);
    }

    [Fact]
    public async Task A_leader_that_was_paused_past_its_lease_neither_stores_its_decision_nor_acts()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        await TickAsync();
        // The pause begins after the decision was stored, while the actor is about to be called.
        fleet.Stored = () => time.Advance(Leadership.Lifetime);
        (fleet.Waiting, fleet.Pending) = (200, 12);
        Assert.Equal(7, await TickAsync());
        Assert.Equal([4], actor.Requested);
        Assert.Contains("The lease of epoch 1 ended before its decision, 7 workers, was acted on. The decision is dropped.", lines.All);

        // Another one leads, and this one has not noticed yet.
        await leadership!.RenewAsync(default);
        fleet.Epoch = 2;
        Assert.Null(await Loop.TickAsync(default));
        Assert.Equal(2, fleet.Decisions.Count);
        Assert.Equal([4], actor.Requested);
    }

    [Fact]
    public async Task A_new_term_begins_with_the_decision_that_is_stored_and_holds_it_for_the_window()
    {
        fleet.Ready(5, busy: 0);
        await TickAsync();
        fleet.Epoch = 2;
        fleet.Decisions.Add(new(5, "another leader", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        Assert.Equal(1 + (int)(options.StabilisationWindow / options.Interval), await TicksUntilBelow(5));
        Assert.Equal(2, fleet.Decisions[^1].Epoch);
    }

    [Fact]
    public async Task The_owner_of_the_workers_learns_what_each_one_holds_before_a_decision_for_fewer_is_stored()
    {
        options = new() { MinWorkers = 1, MaxWorkers = 8, StabilisationWindow = TimeSpan.FromSeconds(30) };
        fleet.Ready(3, busy: 0);
        fleet.Ready(1, busy: 2);
        await TicksUntilBelow(4);
        var (workers, decisions) = actor.Prepared[^1];
        Assert.Equal([0, 0, 0, 2], workers.Select(worker => worker.Images));
        Assert.Equal(fleet.Decisions.Count - 1, decisions);
    }

    [Fact]
    public async Task Nothing_is_decided_while_Redis_is_unavailable_from_the_start()
    {
        fleet.Failure = new QueueUnavailableException("unavailable");
        Assert.Null(await TickAsync());
        Assert.Empty(actor.Requested);
        fleet.Failure = null;
        fleet.Decisions.Add(new(3, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        Assert.Equal(3, await TickAsync());
    }

    [Fact]
    public async Task Missing_heartbeats_do_not_scale_down()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        for (var i = 0; i < 5; i++)
            Assert.Equal(4, await TickAsync());
        fleet.Workers.Clear();
        for (var i = 0; i < 5; i++)
            Assert.Equal(4, await TickAsync());
        Assert.Contains("0 workers send heartbeats, 4 did recently. Nothing is scaled down.", lines.All);
        Assert.Contains("only 0 of 4 workers send heartbeats", fleet.Decisions[^1].Reason);
        // A worker without heartbeats for a whole window no longer counts.
        Assert.InRange(await TicksUntilBelow(4), 1, 7);
    }

    [Fact]
    public async Task A_jump_of_the_clock_does_not_scale_down()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        await TickAsync();
        fleet.Ahead = TimeSpan.FromHours(1);
        Assert.Equal(4, await TickAsync());
        Assert.Contains("The clock of Redis jumped by 01:00:00. Nothing is scaled down with this measurement.", lines.All);
        fleet.Ahead = TimeSpan.FromHours(-5);
        Assert.Equal(4, await TickAsync());
        Assert.Contains("The clock of Redis jumped by -06:00:00. Nothing is scaled down with this measurement.", lines.All);
    }

    [Fact]
    public async Task A_jump_of_the_autoscalers_own_clock_does_not_shorten_the_window()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        await TickAsync();
        await TickAsync();
        time.Ahead = TimeSpan.FromHours(2);
        Assert.Equal(4, await TickAsync());
        Assert.Equal(4, await TickAsync());
    }

    [Fact]
    public async Task A_stale_measurement_does_not_scale_down()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        await TickAsync();
        fleet.FixedTime = Facts.Now + TimeSpan.FromSeconds(60);
        for (var i = 0; i < 20; i++)
            Assert.Equal(4, await TickAsync());
        Assert.Contains(lines.All, line => line.StartsWith("The measurement is stale: ")
            && line.EndsWith("Nothing is scaled down with it."));
    }

    [Fact]
    public async Task Reset_counters_do_not_scale_down()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        fleet.Arrivals = 1000;
        for (var i = 0; i < 3; i++)
            await TickAsync();
        fleet.Arrivals = 3;
        Assert.Equal(4, await TickAsync());
        Assert.Contains(lines.All, line => line.StartsWith("The counter of arrivals in Redis fell from 1000 to 3"));
    }

    [Fact]
    public async Task A_worker_that_never_becomes_ready_is_logged_by_name_and_replaced()
    {
        fleet.Ready(1);
        fleet.Ready(1, rate: null, busy: 0, state: WorkerState.Starting, age: 600);
        (fleet.Waiting, fleet.Pending) = (40, 12);
        Assert.Equal(3, await TickAsync());
        Assert.Equal(3, await TickAsync());
        Assert.Single(lines.All, line => line.StartsWith("Worker w1 (simulated) has been starting for 00:10:00 and counts as stuck"));
    }

    [Fact]
    public async Task A_pool_that_can_not_start_more_workers_is_logged_once_and_the_number_does_not_grow()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        for (var i = 0; i < 20; i++)
            Assert.Equal(4, await TickAsync());
        Assert.Single(lines.All, line => line.StartsWith("4 workers are wanted, but only 1 have sent heartbeats for "));
    }

    [Fact]
    public async Task An_actor_that_fails_is_called_again_after_the_next_measurement()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        actor.Failure = new HttpRequestException("The API server answered 503.");
        Assert.Equal(4, await TickAsync());
        Assert.Contains(lines.All, line => line.StartsWith("The actor failed to set 4 workers.")
            && line.EndsWith("The API server answered 503."));
        actor.Failure = null;
        await TickAsync();
        Assert.Equal([4], actor.Requested);
    }

    [Fact]
    public async Task The_first_image_wakes_an_empty_fleet_without_waiting_for_the_interval()
    {
        options = new() { MinWorkers = 0, MaxWorkers = 4 };
        _ = Loop;
        await leadership!.RenewAsync(default);
        await Loop.StartAsync(default);
        await fleet.Waited.Task.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(0, Assert.Single(fleet.Decisions).Workers);

        fleet.Waiting = 1;
        fleet.Change.SetResult();
        await EventuallyAsync(() => actor.Requested.Contains(1));
        await Loop.StopAsync(default);
        Assert.Equal(Facts.Now, time.GetUtcNow());
    }

    static async Task EventuallyAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!condition())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>A clock that can be set; its timestamps are not affected.</summary>
    sealed class SettableClock() : FakeTimeProvider(Facts.Now)
    {
        public TimeSpan Ahead { get; set; }
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;
        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }

    sealed class RecordingActor : IScalingActor
    {
        /// <summary>What it was told before a decision for fewer workers, and how many decisions were stored then.</summary>
        public List<(IReadOnlyList<WorkerFacts> Workers, int Decisions)> Prepared { get; } = [];
        public Func<int> Decisions { get; init; } = () => 0;

        public Task PrepareScaleDownAsync(IReadOnlyList<WorkerFacts> workers, CancellationToken cancellation)
        {
            Prepared.Add((workers, Decisions()));
            return Task.CompletedTask;
        }

        public List<int> Requested { get; } = [];
        public Exception? Failure { get; set; }

        public Task ActAsync(ScalingDecision decision, CancellationToken cancellation)
        {
            if (Failure is not null)
                return Task.FromException(Failure);
            if (Requested.LastOrDefault(-1) != decision.Workers)
                Requested.Add(decision.Workers);
            return Task.CompletedTask;
        }
    }
}
