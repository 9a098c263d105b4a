using Muse.Queue;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

public sealed class FleetTests : IAsyncLifetime
{
    QueueFixture fixture = null!;
    QueueFixture.Program api = null!, worker = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable)
            return;
        fixture = await QueueFixture.StartAsync();
        (api, worker) = (fixture.Start(), fixture.Start());
    }

    public async Task DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    public static WorkerHeartbeat Beat(string name, double? imagesPerSecond = null) => new()
    {
        Worker = name,
        State = WorkerState.Ready,
        Device = "simulated",
        StartedAt = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
        At = new DateTimeOffset(2026, 1, 1, 0, 1, 0, TimeSpan.Zero),
        Slots = 12,
        Batch = [new BatchSlot(3, "job", 1, 4, 20)],
        ImagesPerSecond = imagesPerSecond,
        Completed = 5,
    };

    [RedisFact]
    public async Task A_worker_is_listed_while_it_beats_and_gone_once_it_leaves()
    {
        await worker.Fleet.SendHeartbeatAsync(Beat("w1", 1.5), Limit());
        await worker.Fleet.SendHeartbeatAsync(Beat("w2"), Limit());
        var listed = await api.Fleet.WorkersAsync(Limit());
        Assert.Equal(["w1", "w2"], listed.Select(w => w.Worker).Order());
        var first = listed.Single(w => w.Worker == "w1");
        Assert.Equal((1.5, 12, WorkerState.Ready, new BatchSlot(3, "job", 1, 4, 20)),
            (first.ImagesPerSecond, first.Slots, first.State, Assert.Single(first.Batch)));
        await worker.Fleet.LeaveAsync("w1", Limit());
        Assert.Equal("w2", Assert.Single(await api.Fleet.WorkersAsync(Limit())).Worker);
    }

    [RedisFact]
    public async Task A_worker_that_has_left_leaves_no_consumer_behind()
    {
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        await worker.Fleet.SendHeartbeatAsync(Beat(worker.Work.Worker), Limit());
        await worker.Fleet.LeaveAsync(worker.Work.Worker, Limit());
        await api.Fleet.SendHeartbeatAsync(Beat("other"), Limit());
        // What it holds must be taken over first: deleting a consumer drops what it holds.
        Assert.Equal(1, (await api.Fleet.MeasureAsync(Limit())).Pending);
        await worker.Work.CompleteAsync(item, Finished(), Limit());
        await api.Fleet.SendHeartbeatAsync(Beat("other"), Limit());
        Assert.Empty(await api.Redis.StreamConsumerInfoAsync(api.Keys.Stream(JobPriority.Interactive), QueueKeys.Group));
    }

    [RedisFact]
    public async Task The_last_worker_that_leaves_removes_its_own_consumer()
    {
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        await worker.Work.CompleteAsync((await worker.Work.TakeAsync(1))[0], Finished(), Limit());
        await worker.Fleet.SendHeartbeatAsync(Beat(worker.Work.Worker), Limit());
        await worker.Fleet.LeaveAsync(worker.Work.Worker, Limit());
        Assert.Empty(await ConsumersAsync());
    }

    [RedisFact]
    public async Task Consumers_of_workers_that_departed_long_ago_are_removed_once_their_images_were_taken_over()
    {
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        var idle = fixture.Start();
        await idle.Work.CompleteAsync((await idle.Work.TakeAsync(1))[0], Finished(), Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        foreach (var departed in (QueueFixture.Program[])[idle, worker])
            await api.Fleet.SendHeartbeatAsync(Beat(departed.Work.Worker), Limit());
        // Nothing ran for ten minutes: all that is known of workers has expired.
        await api.Redis.KeyDeleteAsync([api.Keys.Fleet, api.Keys.Seen, api.Keys.Prefix.Append("fleet:speeds")]);

        var next = fixture.Start(("Lease", "00:00:01"));
        await next.Fleet.SendHeartbeatAsync(Beat(next.Work.Worker), Limit());
        Assert.Equal([worker.Work.Worker], await ConsumersAsync());
        var taken = (await next.Work.TakeAsync(1))[0];
        Assert.Equal(item.Id, taken.Id);
        await next.Fleet.SendHeartbeatAsync(Beat(next.Work.Worker), Limit());
        Assert.Equal([next.Work.Worker], await ConsumersAsync());
    }

    async Task<IEnumerable<string>> ConsumersAsync() =>
        (await api.Redis.StreamConsumerInfoAsync(api.Keys.Stream(JobPriority.Interactive), QueueKeys.Group)).Select(info => info.Name);

    [RedisFact]
    public async Task The_rate_of_a_worker_that_has_left_no_longer_counts()
    {
        await worker.Fleet.SendHeartbeatAsync(Beat("slow", 0.001), Limit());
        await worker.Fleet.SendHeartbeatAsync(Beat("fast", 0.003), Limit());
        var (first, second) = (Job(), Job());
        await api.Jobs.SubmitAsync(first, null, Limit());
        Assert.IsType<SubmitOutcome.QueueFull>(await api.Jobs.SubmitAsync(second, null, Limit())); // It would wait for 250 s.
        var patient = fixture.Start(("MaxWait", "1.00:00:00"));
        Assert.IsType<SubmitOutcome.Accepted>(await patient.Jobs.SubmitAsync(second, null, Limit()));
        Assert.Equal(TimeSpan.FromSeconds(250), (await api.Jobs.PositionAsync(second.Id, Limit()))?.EstimatedWait);
        await worker.Fleet.LeaveAsync("fast", Limit());
        Assert.Equal(TimeSpan.FromSeconds(1000), (await api.Jobs.PositionAsync(second.Id, Limit()))?.EstimatedWait);
        await worker.Fleet.LeaveAsync("slow", Limit());
        Assert.Null((await api.Jobs.PositionAsync(second.Id, Limit()))?.EstimatedWait);
        Assert.IsType<SubmitOutcome.Accepted>(await api.Jobs.SubmitAsync(Job(), null, Limit()));
    }

    [RedisFact]
    public async Task The_rate_of_workers_that_crashed_all_together_no_longer_counts()
    {
        await worker.Fleet.SendHeartbeatAsync(Beat("crashed", 0.001), Limit());
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        var waiting = Job();
        Assert.IsType<SubmitOutcome.QueueFull>(await api.Jobs.SubmitAsync(waiting, null, Limit()));
        // Its last heartbeat was 16 s ago.
        await api.Redis.SortedSetDecrementAsync(api.Keys.Seen, "crashed", 16_000);
        Assert.IsType<SubmitOutcome.Accepted>(await api.Jobs.SubmitAsync(waiting, null, Limit()));
        Assert.Null((await api.Jobs.PositionAsync(waiting.Id, Limit()))?.EstimatedWait);
    }

    [RedisFact]
    public async Task A_drain_request_reaches_its_worker_and_nobody_else()
    {
        await worker.Work.WaitForWorkAsync(Limit());
        Assert.False(await worker.Fleet.IsDrainRequestedAsync("w1", Limit()));
        await api.Fleet.RequestDrainAsync("w1", Limit());
        Assert.True(await worker.Fleet.IsDrainRequestedAsync("w1", Limit()));
        Assert.False(await worker.Fleet.IsDrainRequestedAsync("w2", Limit()));
    }

    [RedisFact]
    public async Task The_models_card_is_what_a_worker_announced()
    {
        Assert.Null(await api.Fleet.FindModelCardAsync(Limit()));
        var card = new ModelCard
        {
            Name = "scenes",
            MinSize = 64,
            MaxSize = 256,
            SizeMultiple = 8,
            DefaultWidth = 128,
            DefaultHeight = 128,
            DefaultSteps = 20,
            MaxSteps = 150,
            DefaultGuidanceScale = 5,
            Samplers = ["euler", "ddim"],
        };
        await worker.Fleet.AnnounceModelAsync(card, Limit());
        var read = await api.Fleet.FindModelCardAsync(Limit());
        Assert.Equal(card.Samplers, read!.Samplers);
        Assert.Equal(card, read with { Samplers = card.Samplers });
    }

    [RedisFact]
    public async Task Decisions_come_newest_first_and_wake_those_who_wait_for_a_change()
    {
        Assert.Null(await api.Fleet.LatestDecisionAsync(Limit()));
        var measured = await api.Fleet.MeasureAsync(Limit());
        await worker.Fleet.WaitForChangeAsync(TimeSpan.FromMilliseconds(1), Limit()); // Listens from now on.
        var change = worker.Fleet.WaitForChangeAsync(TimeSpan.FromHours(1), Limit());
        var lease = (await api.Fleet.LeadAsync("leader", TimeSpan.FromHours(1), Limit()))!;
        for (var i = 1; i <= 3; i++)
        {
            var decision = new ScalingDecision(i, $"because {i}", measured.At, "test", measured);
            Assert.True(await api.Fleet.StoreDecisionAsync(decision, lease, Limit()));
        }

        await change;
        Assert.Equal("because 3", (await worker.Fleet.LatestDecisionAsync(Limit()))!.Reason);
        Assert.Equal([3, 2], (await worker.Fleet.DecisionsAsync(2, Limit())).Select(decision => decision.Workers));
        Assert.Equal(measured, (await worker.Fleet.LatestDecisionAsync(Limit()))!.Measured);
    }

    [RedisFact]
    public async Task The_measurement_tells_what_waits_what_runs_and_what_ended()
    {
        await api.Jobs.SubmitAsync(Job(count: 3), null, Limit());
        await api.Jobs.SubmitAsync(Job(count: 2, priority: JobPriority.Batch), null, Limit());
        var items = await worker.Work.TakeAsync(2);
        await worker.Work.CompleteAsync(items[0], Finished(), Limit());
        var measured = await api.Fleet.MeasureAsync(Limit());
        Assert.Equal((3, 1, 5, 1), (measured.Waiting, measured.Pending, measured.Arrivals, measured.Ended));
        Assert.InRange(measured.OldestWaiting!.Value, TimeSpan.Zero, TimeSpan.FromMinutes(10));
        // The count is right even where Redis' own lag is not, as after a crash.
        await api.Redis.ExecuteAsync("XGROUP", "SETID", (string)api.Keys.Stream(JobPriority.Batch)!, QueueKeys.Group, "0-1");
        Assert.Equal(3, (await api.Fleet.MeasureAsync(Limit())).Waiting);
    }

    [RedisFact]
    public async Task Nothing_waits_in_an_empty_stream_whatever_the_groups_lag_says()
    {
        await api.Jobs.SubmitAsync(Job(count: 3), null, Limit());
        foreach (var item in await worker.Work.TakeAsync(3))
            await worker.Work.CompleteAsync(item, Finished(), Limit());
        // What a Redis that was killed and restarted was seen to do.
        await api.Redis.ExecuteAsync("XGROUP", "SETID", (string)api.Keys.Stream(JobPriority.Interactive)!, QueueKeys.Group, "$",
            "ENTRIESREAD", "1");
        Assert.Equal(0, (await api.Fleet.MeasureAsync(Limit())).Waiting);
    }

    [RedisFact]
    public async Task The_waiting_time_of_each_image_is_recorded_once_by_whichever_worker_started_it()
    {
        Assert.Empty(await api.Fleet.StartedImagesAsync(null, Limit()));
        await api.Jobs.SubmitAsync(Job(count: 3), null, Limit());
        var other = fixture.Start();
        var first = await worker.Work.TakeAsync(2);
        await other.Work.TakeAsync(1);
        var started = await api.Fleet.StartedImagesAsync(null, Limit());
        Assert.Equal([2, 1], started.Select(take => take.Waited.Count));
        Assert.All(started.SelectMany(take => take.Waited), waited => Assert.InRange(waited, TimeSpan.Zero, TimeSpan.FromMinutes(10)));
        // Handed back and taken again: it had been started before.
        await worker.Work.HandBackAsync([(first[0], 1, default)], Limit());
        await other.Work.TakeAsync(1);
        Assert.Empty(await api.Fleet.StartedImagesAsync(started[^1].Id, Limit()));
        Assert.Equal(started[1].Id, Assert.Single(await api.Fleet.StartedImagesAsync(started[0].Id, Limit())).Id);
    }

    [RedisFact]
    public async Task An_empty_queue_measures_as_nothing()
    {
        var measured = await api.Fleet.MeasureAsync(Limit());
        Assert.Equal((0, 0, null, 0, 0),
            (measured.Waiting, measured.Pending, measured.OldestWaiting, measured.Arrivals, measured.Ended));
    }
}
