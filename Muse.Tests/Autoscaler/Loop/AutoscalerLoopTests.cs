using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public sealed class AutoscalerLoopTests
{
    readonly SetClock time = new();
    readonly FakeFleet fleet;
    readonly RecordingActor actor = new();
    readonly LinesLogger lines = new();
    AutoscalerOptions options = new() { MinWorkers = 1, MaxWorkers = 8, Interval = TimeSpan.FromSeconds(30), Tolerance = 0.1 };
    AutoscalerLoop? loop;

    public AutoscalerLoopTests() => fleet = new(time);

    AutoscalerLoop Loop => loop ??= Build();

    AutoscalerLoop Build()
    {
        var wrapped = Options.Create(options);
        var clock = new SteadyClock(time);
        var gauge = new FleetGauge(fleet, wrapped, clock, lines.For<FleetGauge>());
        return new(fleet, gauge, AutoscalerHosting.Policy(options), actor, new LatestDecision(clock), wrapped, clock, time, lines.For<AutoscalerLoop>());
    }

    async Task<int?> Look(double after = 30)
    {
        time.Advance(TimeSpan.FromSeconds(after));
        return (await Loop.TickAsync(default))?.Workers;
    }

    /// <summary>Looks until the number falls, and tells how many looks it took.</summary>
    async Task<int> LooksUntilBelow(int workers)
    {
        for (var looks = 1; looks < 100; looks++)
        {
            if (await Look() < workers)
                return looks;
        }

        return int.MaxValue;
    }

    [Fact]
    public async Task It_measures_decides_writes_the_decision_down_and_acts()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        Assert.Equal(4, await Look());
        var decision = Assert.Single(fleet.Decisions);
        Assert.Equal((4, "drain", time.GetUtcNow(), 100L), (decision.Workers, decision.Policy, decision.At, decision.Measured.Waiting));
        Assert.Equal([4], actor.Asked);
        Assert.Contains(lines.All, line => line.StartsWith("4 workers: 100 waiting and 12 in work"));
    }

    [Fact]
    public async Task A_restart_goes_on_from_the_last_decision_and_holds_it_for_the_window()
    {
        fleet.Decisions.Add(new(5, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(5, busy: 0);
        // The window begins at the first look; the numbers before it are unknown.
        Assert.Equal(1 + (int)(options.StabilisationWindow / options.Interval) + 1, await LooksUntilBelow(5) + 1);
        Assert.Equal(1, fleet.Decisions[^1].Workers);
    }

    [Fact]
    public async Task While_Redis_is_away_the_last_number_stands_and_the_log_says_so()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        await Look();
        fleet.Away = new QueueUnavailableException("Redis at 127.0.0.1:6379 can't be reached.");
        for (var i = 0; i < 20; i++)
            Assert.Null(await Look());
        Assert.Equal([4], actor.Asked);
        Assert.Contains(lines.All, line => line == "The queue could not be measured: the last number, 4, stands. Redis at 127.0.0.1:6379 can't be reached.");

        // It comes back with nothing waiting; the time away does not count towards the window.
        fleet.Away = null;
        (fleet.Waiting, fleet.Pending) = (0, 0);
        Assert.Equal(4, await Look());
    }

    [Fact]
    public async Task Redis_away_from_the_beginning_decides_nothing()
    {
        fleet.Away = new QueueUnavailableException("away");
        Assert.Null(await Look());
        Assert.Empty(actor.Asked);
        fleet.Away = null;
        fleet.Decisions.Add(new(3, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        Assert.Equal(3, await Look());
    }

    [Fact]
    public async Task Missing_heartbeats_take_no_worker_away()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        for (var i = 0; i < 5; i++)
            Assert.Equal(4, await Look());
        fleet.Workers.Clear();
        for (var i = 0; i < 5; i++)
            Assert.Equal(4, await Look());
        Assert.Contains("0 workers are heard of, 4 were lately: nothing is scaled down meanwhile.", lines.All);
        Assert.Contains("only 0 of 4 workers are heard of", fleet.Decisions[^1].Reason);
        // Who stays away for a whole window is gone.
        Assert.InRange(await LooksUntilBelow(4), 1, 7);
    }

    [Fact]
    public async Task A_clock_that_jumps_takes_no_worker_away()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        await Look();
        fleet.Ahead = TimeSpan.FromHours(1);
        Assert.Equal(4, await Look());
        Assert.Contains("Redis' clock jumped by 01:00:00: nothing is scaled down at this look.", lines.All);
        fleet.Ahead = TimeSpan.FromHours(-5);
        Assert.Equal(4, await Look());
        Assert.Contains("Redis' clock jumped by -06:00:00: nothing is scaled down at this look.", lines.All);
    }

    [Fact]
    public async Task Our_own_clock_set_ahead_does_not_shorten_the_window()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        await Look();
        await Look();
        time.Ahead = TimeSpan.FromHours(2);
        Assert.Equal(4, await Look());
        Assert.Equal(4, await Look());
    }

    [Fact]
    public async Task A_stale_measurement_takes_no_worker_away()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        await Look();
        fleet.Frozen = Facts.Now + TimeSpan.FromSeconds(60);
        for (var i = 0; i < 20; i++)
            Assert.Equal(4, await Look());
        Assert.Contains(lines.All, line => line.EndsWith("nothing is scaled down on a stale one."));
    }

    [Fact]
    public async Task Counters_that_begin_anew_take_no_worker_away()
    {
        fleet.Decisions.Add(new(4, "earlier", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        fleet.Ready(4, busy: 0);
        fleet.Arrivals = 1000;
        for (var i = 0; i < 3; i++)
            await Look();
        fleet.Arrivals = 3;
        Assert.Equal(4, await Look());
        Assert.Contains(lines.All, line => line.StartsWith("Redis' arrivals fell from 1000 to 3"));
    }

    [Fact]
    public async Task A_worker_that_never_becomes_ready_is_named_and_replaced()
    {
        fleet.Ready(1);
        fleet.Ready(1, rate: null, busy: 0, state: WorkerState.Starting, age: 600);
        (fleet.Waiting, fleet.Pending) = (40, 12);
        Assert.Equal(3, await Look());
        Assert.Equal(3, await Look());
        Assert.Single(lines.All, line => line.StartsWith("Worker w1 (simulated) has been starting for 00:10:00 and counts as stuck"));
    }

    [Fact]
    public async Task A_pool_that_cannot_start_more_is_said_once_and_not_asked_for_ever_more()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        for (var i = 0; i < 20; i++)
            Assert.Equal(4, await Look());
        Assert.Single(lines.All, line => line.StartsWith("4 workers are wanted, but 1 have been heard of for "));
    }

    [Fact]
    public async Task An_actor_that_fails_is_asked_again_at_the_next_look()
    {
        fleet.Ready(1);
        (fleet.Waiting, fleet.Pending) = (100, 12);
        actor.Fails = new HttpRequestException("The API server answered 503.");
        Assert.Equal(4, await Look());
        Assert.Contains(lines.All, line => line.StartsWith("4 workers could not be asked for") && line.EndsWith("The API server answered 503."));
        actor.Fails = null;
        await Look();
        Assert.Equal([4], actor.Asked);
    }

    [Fact]
    public async Task An_empty_fleet_is_woken_by_the_first_picture_without_waiting_for_the_interval()
    {
        options = new() { MinWorkers = 0, MaxWorkers = 4 };
        await Loop.StartAsync(default);
        await fleet.Waited.Task.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(0, Assert.Single(fleet.Decisions).Workers);

        fleet.Waiting = 1;
        fleet.Change.SetResult();
        await Eventually(() => actor.Asked.Contains(1));
        await Loop.StopAsync(default);
        Assert.Equal(Facts.Now, time.GetUtcNow());
    }

    static async Task Eventually(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!condition())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>A clock that someone sets while time passes as ever.</summary>
    sealed class SetClock() : FakeTimeProvider(Facts.Now)
    {
        public TimeSpan Ahead { get; set; }
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;
        public override long GetTimestamp() => base.GetUtcNow().Ticks;
    }

    sealed class RecordingActor : IScalingActor
    {
        public List<int> Asked { get; } = [];
        public Exception? Fails { get; set; }

        public Task ActAsync(ScalingDecision decision, CancellationToken cancellation)
        {
            if (Fails is not null)
                return Task.FromException(Fails);
            if (Asked.LastOrDefault(-1) != decision.Workers)
                Asked.Add(decision.Workers);
            return Task.CompletedTask;
        }
    }
}
