using CsCheck;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

public sealed class WorkQueueTests : IAsyncLifetime
{
    QueueFixture fixture = null!;
    QueueFixture.Program api = null!, first = null!, second = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable)
            return;
        fixture = await QueueFixture.StartAsync();
        api = fixture.Start();
        first = fixture.Start(("Lease", "00:00:01"));
        second = fixture.Start(("Lease", "00:00:01"));
    }

    public async Task DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    async Task<WorkItem> AcceptAndTakeAsync(ImageJob job)
    {
        await api.Jobs.SubmitAsync(job, null, Limit());
        return (await first.Work.TakeAsync(1))[0];
    }

    [RedisFact]
    public async Task A_dead_workers_image_is_taken_over_with_its_checkpoint_and_the_late_result_counts_only_if_first()
    {
        var item = await AcceptAndTakeAsync(Job());
        Assert.True(await first.Work.SaveCheckpointAsync(item, 5, "step 5"u8.ToArray()));
        // The first worker renews no more, as if it were paused.
        var taken = (await second.Work.TakeAsync(1))[0];
        Assert.Equal((item.Id, 2, "step 5"), (taken.Id, taken.Deliveries, System.Text.Encoding.UTF8.GetString(taken.Checkpoint.Span)));

        // It comes back: it hears that the image is another's, and may not touch its state.
        Assert.Equal([item], await first.Work.RenewAsync([item], Limit()));
        Assert.False(await first.Work.ReportAsync(item, 9, 20, null));
        Assert.False(await first.Work.SaveCheckpointAsync(item, 9, "stale"u8.ToArray()));
        Assert.False(await first.Work.FailAsync(item, new JobError(JobErrorCodes.EngineFailure, "late"), Limit()));

        Assert.True(await second.Work.CompleteAsync(taken, Finished("the one"), Limit()));
        Assert.False(await first.Work.CompleteAsync(item, Finished("too late"), Limit()));
        Assert.Equal("the one", (await api.Jobs.FindImageAsync(item.Job.Id, 0, Limit()))!.Text());
        var measured = await api.Fleet.MeasureAsync(Limit());
        Assert.Equal((0, 0, 1), (measured.Waiting, measured.Pending, measured.Ended));
    }

    [RedisFact]
    public async Task A_renewed_lease_is_not_taken_over_and_renewals_are_no_deliveries()
    {
        var item = await AcceptAndTakeAsync(Job());
        var until = TimeProvider.System.GetUtcNow().AddSeconds(3);
        while (TimeProvider.System.GetUtcNow() < until)
        {
            Assert.Empty(await first.Work.RenewAsync([item], Limit()));
            Assert.Empty(await second.Work.ReadAsync(1, Limit()));
        }
        Assert.Equal(1,
            (await api.Redis.StreamPendingMessagesAsync(api.Keys.Stream(JobPriority.Interactive), QueueKeys.Group, 1,
            first.Work.Worker))[0].DeliveryCount);
    }

    [RedisFact]
    public async Task What_is_handed_back_is_taken_at_once_before_new_work_and_is_no_crash()
    {
        var item = await AcceptAndTakeAsync(Job());
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        var slow = fixture.Start(("Lease", "00:10:00"));
        await slow.Work.WaitForWorkAsync(Limit()); // Listens.
        await first.Work.HandBackAsync([(item, 10, "step 10"u8.ToArray())], Limit());
        Assert.Equal(JobState.Queued, (await api.Jobs.FindAsync(item.Job.Id, Limit()))!.Images[0].State);
        var taken = (await slow.Work.TakeAsync(1))[0];
        Assert.Equal((item.Id, 1, "step 10"), (taken.Id, taken.Deliveries, System.Text.Encoding.UTF8.GetString(taken.Checkpoint.Span)));
    }

    [RedisFact]
    public async Task An_image_that_crashes_its_workers_three_times_goes_to_the_dead_letters_and_can_be_requeued()
    {
        var job = Job(count: 2);
        await api.Jobs.SubmitAsync(job, null, Limit());
        var items = await first.Work.TakeAsync(2);
        await first.Work.CompleteAsync(items[1], Finished("good"), Limit());
        for (var crash = 2; crash <= 3; crash++)
        {
            var victim = fixture.Start(("Lease", "00:00:01"));
            Assert.Equal(crash, (await victim.Work.TakeAsync(1))[0].Deliveries);
        }
        var final = await EventuallyAsync(async () =>
        {
            Assert.Empty(await second.Work.ReadAsync(1, Limit()));
            return (await api.Jobs.FindAsync(job.Id, Limit()))!;
        }, found => found.State.IsFinal());
        Assert.Equal((JobState.Failed, JobErrorCodes.Poisoned), (final.State, final.Images[0].Error!.Code));
        Assert.Equal(JobState.Succeeded, final.Images[1].State);
        var letter = Assert.Single(await api.Dead.ListAsync(10, Limit()));
        Assert.Equal((job.Id, 0), (letter.JobId, letter.Index));
        Assert.Contains("3 times", letter.Reason, StringComparison.Ordinal);

        Assert.True(await api.Dead.RequeueAsync(letter.Id, Limit()));
        Assert.False(await api.Dead.RequeueAsync(letter.Id, Limit()));
        Assert.False(await api.Dead.RequeueAsync("nonsense", Limit()));
        var again = (await second.Work.TakeAsync(1))[0];
        await second.Work.CompleteAsync(again, Finished("at last"), Limit());
        Assert.Equal(JobState.Succeeded, (await api.Jobs.WaitAsync(job.Id, Limit()))!.State);
        Assert.Empty(await api.Dead.ListAsync(10, Limit()));
    }

    [RedisFact]
    public async Task What_an_answer_that_got_lost_had_delivered_is_read_again_without_waiting_for_the_lease()
    {
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        var slow = fixture.Start(("Lease", "00:10:00"));
        // Delivered to this worker behind its back, as when the connection is cut between the script and its answer.
        await slow.Work.ReadAsync(1, Limit()).ContinueWith(_ => { });
        var held = (await api.Redis.StreamPendingAsync(api.Keys.Stream(JobPriority.Interactive), QueueKeys.Group)).PendingMessageCount;
        Assert.Equal(1, held);
        slow.Work.ForgetAll();
        Assert.Equal(1, (await slow.Work.TakeAsync(1))[0].Deliveries);
    }

    [RedisFact]
    public async Task What_waited_past_its_deadline_is_never_started()
    {
        var late = Job(beginWithin: TimeSpan.FromSeconds(-1));
        await api.Jobs.SubmitAsync(late, null, Limit());
        Assert.Empty(await first.Work.ReadAsync(1, Limit()));
        var final = await api.Jobs.WaitAsync(late.Id, Limit());
        Assert.Equal((JobState.Failed, JobErrorCodes.DeadlineExceeded), (final!.State, final.Images[0].Error!.Code));
        Assert.Equal(0, (await api.Fleet.MeasureAsync(Limit())).Pending);
    }

    [RedisFact]
    public async Task The_measured_wait_does_not_depend_on_the_APIs_clock()
    {
        var recorded = new System.Collections.Concurrent.ConcurrentQueue<double>();
        using var listener = new System.Diagnostics.Metrics.MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Name == "muse.queue.wait.duration")
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, seconds, _, _) => recorded.Enqueue(seconds));
        listener.Start();
        // The API's clock is an hour behind that of Redis.
        await AcceptAndTakeAsync(Job() with { CreatedAt = TimeProvider.System.GetUtcNow().AddHours(-1) });
        Assert.NotEmpty(recorded);
        Assert.All(recorded, seconds => Assert.InRange(seconds, 0, 1800));
    }

    [RedisFact]
    public async Task An_image_that_could_not_be_handed_back_is_taken_again_by_the_same_worker()
    {
        await using var durable = await QueueFixture.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        var (client, worker) = (durable.Start(), durable.Start(("Lease", "00:00:01")));
        await client.Jobs.SubmitAsync(Job(), null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        await durable.Redis.KillAsync();
        await Assert.ThrowsAsync<QueueUnavailableException>(() => worker.Work.HandBackAsync([(item, 0, default)], Limit()));
        await durable.Redis.LaunchAsync();
        var again = await EventuallyAsync(async () =>
        {
            try
            {
                return await worker.Work.ReadAsync(1, Limit());
            }
            catch (QueueUnavailableException)
            {
                return []; // The connection comes back.
            }
        }, items => items.Count > 0);
        Assert.Equal(item.Id, again[0].Id);
    }

    [RedisFact]
    public async Task Interactive_goes_before_batch_and_batch_is_not_starved()
    {
        var (batch, interactive) =
            (Job(count: 10, priority: JobPriority.Batch), Enumerable.Range(0, 4).Select(_ => Job(count: 10)).ToList());
        await api.Jobs.SubmitAsync(batch, null, Limit());
        foreach (var job in interactive)
            await api.Jobs.SubmitAsync(job, null, Limit());
        var order = new List<JobPriority>();
        for (var i = 0; i < 50; i++)
            order.Add((await first.Work.TakeAsync(1))[0].Lane);
        Assert.Equal(10, order.Count(lane => lane == JobPriority.Batch));
        Assert.All(order.Chunk(LanePolicy.Cycle), five => Assert.Single(five, lane => lane == JobPriority.Batch));
    }

    [Fact]
    public void Of_every_five_places_one_is_offered_to_batch_however_they_are_asked_for() =>
        Gen.Int[1, 12].Array[1, 50].Sample(counts =>
        {
            long taken = 0, batch = 0;
            foreach (var count in counts)
            {
                var share = LanePolicy.BatchShare(taken, count);
                Assert.InRange(share, 0, count);
                (taken, batch) = (taken + count, batch + share);
            }
            Assert.Equal(taken / LanePolicy.Cycle, batch);
        });

    [RedisFact]
    public async Task Everything_of_an_ended_job_expires_with_the_retention_and_its_entries_are_gone()
    {
        var short_ = fixture.Start(("Retention", "00:01:00"));
        var job = Job(count: 2) with { Previews = 1 };
        await short_.Jobs.SubmitAsync(job, new IdempotencyToken("k", "h", TimeSpan.FromMinutes(1)), Limit());
        var items = await short_.Work.TakeAsync(2);
        await short_.Work.ReportAsync(items[0], 1, 2, Finished("half").Image);
        await short_.Work.SaveCheckpointAsync(items[0], 1, "state"u8.ToArray());
        await short_.Work.CompleteAsync(items[0], Finished(), Limit());
        await short_.Work.FailAsync(items[1], new JobError(JobErrorCodes.EngineFailure, "no"), Limit());
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
        foreach (var key in new[] { api.Keys.Job(job.Id), api.Keys.Image(job.Id, 0), api.Keys.Work(job.Id) })
            Assert.InRange((await api.Redis.KeyTimeToLiveAsync(key))!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        Assert.Equal(0, await api.Redis.StreamLengthAsync(api.Keys.Stream(JobPriority.Interactive)));
    }

    [RedisFact]
    public async Task A_time_limit_that_fires_just_as_a_call_has_come_ends_nothing()
    {
        var time = new LateTimers();
        var worker = fixture.Start(time);
        var waiting = worker.Work.WaitForWorkAsync(Limit());
        await EventuallyAsync(async () =>
        {
            await api.Jobs.SubmitAsync(Job(), null, Limit());
            return waiting.IsCompleted;
        }, heard => heard);
        await waiting;
        // In a process, what these throw would be thrown on a timer's thread, and end it.
        Assert.NotEqual(0, time.FireAll());
    }

    /// <summary>Timers whose callbacks were under way already when they were disposed.</summary>
    sealed class LateTimers : TimeProvider
    {
        readonly System.Collections.Concurrent.ConcurrentQueue<(TimerCallback Callback, object? State)> timers = new();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            timers.Enqueue((callback, state));
            return new Disposable();
        }

        public int FireAll()
        {
            foreach (var (callback, state) in timers)
                callback(state);
            return timers.Count;
        }

        sealed class Disposable : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;
            public void Dispose() { }
            public ValueTask DisposeAsync() => default;
        }
    }
}
