using Microsoft.Extensions.Time.Testing;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

public sealed class JobQueueTests : IAsyncLifetime
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

    [RedisFact]
    public async Task A_job_is_accepted_completed_and_returned_to_the_waiting_client()
    {
        var job = Job(count: 2);
        Assert.Equal(new SubmitOutcome.Accepted(job.Id), await api.Jobs.SubmitAsync(job, null, Limit()));
        var queued = await api.Jobs.FindAsync(job.Id, Limit());
        Assert.Equal(JobState.Queued, queued!.State);
        Assert.Equal([7L, 8L], queued.Images.Select(image => image.Seed));

        var waiting = api.Jobs.WaitAsync(job.Id, Limit());
        var items = await worker.Work.TakeAsync(2);
        Assert.Equal(JobState.Running, (await api.Jobs.FindAsync(job.Id, Limit()))!.State);
        foreach (var item in items)
            Assert.True(await worker.Work.CompleteAsync(item, Finished($"image {item.Index}"), Limit()));

        var final = await waiting;
        Assert.Equal(JobState.Succeeded, final!.State);
        Assert.NotNull(final.FinishedAt);
        Assert.All(final.Images, image =>
            Assert.Equal((JobState.Succeeded, 20, 128, 64, worker.Work.Worker),
            (image.State, image.Step, image.Width, image.Height, image.Worker)));
        Assert.Equal("image 1", (await api.Jobs.FindImageAsync(job.Id, 1, Limit()))!.Text());
        Assert.Null(await api.Jobs.FindImageAsync(job.Id, 2, Limit()));
    }

    [RedisFact]
    public async Task Every_field_of_a_job_comes_back_as_it_was_submitted()
    {
        var job = Job(count: 3, priority: JobPriority.Batch, beginWithin: TimeSpan.FromHours(3)) with
        {
            Prompt = "ein Häuschen \u2603 \0 \"quoted\"\n🦊",
            NegativePrompt = "moon",
            Width = 128,
            Height = 96,
            Steps = 33,
            GuidanceScale = 4.5f,
            Sampler = "euler",
            Seed = long.MaxValue - 1,
            Format = OutputFormat.Webp,
            Quality = 0,
            Previews = 3,
            Webhook = new Uri("https://example.org/hook"),
            TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        };
        await api.Jobs.SubmitAsync(job, null, Limit());
        // With a listener, which a test beside this one may add, the parent is the span of the submission.
        var stored = (await api.Jobs.FindAsync(job.Id, Limit()))!.Job;
        Assert.Equal(job, stored with { TraceParent = job.TraceParent });
        var items = await worker.Work.TakeAsync(3);
        Assert.All(items, item => Assert.Equal(stored, item.Job));
        Assert.Equal([long.MaxValue - 1, long.MaxValue, long.MinValue], items.Select(item => item.Seed));
    }

    [RedisFact]
    public async Task Waiting_brings_the_images_in_the_same_answer()
    {
        var job = Job(count: 2);
        await api.Jobs.SubmitAsync(job, null, Limit());
        var waiting = api.Jobs.WaitWithImagesAsync(job.Id, Limit());
        var items = await worker.Work.TakeAsync(2);
        await worker.Work.CompleteAsync(items[0], Finished("one"), Limit());
        await worker.Work.FailAsync(items[1], new JobError(JobErrorCodes.InvalidRequest, "Too wide.", "width"), Limit());
        var finished = await waiting;
        Assert.Equal(JobState.Failed, finished!.Job.State);
        Assert.Equal(["one", null], finished.Images.Select(image => image?.Text()));
        Assert.Equal(new JobError(JobErrorCodes.InvalidRequest, "Too wide.", "width"), finished.Job.Images[1].Error);
    }

    [RedisFact]
    public async Task A_wait_that_begins_after_the_end_of_a_job_accepted_here_is_answered_without_a_sweep()
    {
        // Its clock stands still, so it never sweeps.
        var api = fixture.Start(new FakeTimeProvider());
        var (early, late) = (Job(), Job());
        await api.Jobs.SubmitAsync(early, null, Limit());
        await api.Jobs.SubmitAsync(late, null, Limit());
        var items = await worker.Work.TakeAsync(2);
        var waiting = api.Jobs.WaitWithImagesAsync(late, Limit());
        foreach (var item in items)
            await worker.Work.CompleteAsync(item, Finished(item.Job.Id), Limit());
        // Events arrive in order, so the event of the other job, which has no listener, has arrived too.
        Assert.Equal(late.Id, (await waiting)!.Images[0]?.Text());
        var answered = api.Jobs.WaitWithImagesAsync(early, Limit());
        Assert.Equal(early.Id, (await answered)!.Images[0]?.Text());
    }

    [RedisFact]
    public async Task Jobs_submitted_at_once_are_each_accepted_or_refused_for_themselves()
    {
        await api.Redis.ListRightPushAsync(api.Keys.Idempotency("ada", "damaged"), "no job");
        await api.Redis.StringSetAsync(api.Keys.Owner("eve"), "no sorted set");
        var small = fixture.Start(("MaxLength", "40"));
        var submissions = Enumerable.Range(0, 50).Select(i => small.Jobs.SubmitAsync(Job(owner: i == 5 ? "eve" : "ada"),
            i == 7 ? new IdempotencyToken("damaged", "hash", TimeSpan.FromMinutes(1)) : null, Limit())).ToList();
        await Assert.ThrowsAsync<InvalidDataException>(() => submissions[7]);
        submissions.RemoveAt(7);
        var outcomes = await Task.WhenAll(submissions);
        Assert.Equal(40, outcomes.OfType<SubmitOutcome.Accepted>().Select(accepted => accepted.JobId).Distinct().Count());
        Assert.Equal(9, outcomes.OfType<SubmitOutcome.QueueFull>().Count());
        Assert.Single((await api.Jobs.ListAsync("eve", null, 10, Limit())).Jobs);
    }

    [RedisFact]
    public async Task Nothing_is_found_under_an_unknown_id()
    {
        Assert.Null(await api.Jobs.FindAsync("nobody", Limit()));
        Assert.Null(await api.Jobs.WaitAsync("nobody", Limit()));
        Assert.Null(await api.Jobs.CancelAsync("nobody", Limit()));
        Assert.Null(await api.Jobs.FindImageAsync("nobody", 0, Limit()));
        Assert.Null(await api.Jobs.PositionAsync("nobody", Limit()));
        await foreach (var _ in api.Jobs.WatchAsync("nobody", 0, Limit()))
            Assert.Fail("There is nothing to watch.");
    }

    [RedisFact]
    public async Task Watching_tells_of_steps_and_previews_and_ends_with_the_final_state()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        var seen = new List<JobSnapshot>();
        await foreach (var snapshot in api.Jobs.WatchAsync(job.Id, 0, Limit()))
        {
            seen.Add(snapshot);
            // Each change only after the one before was seen, so that none can be merged into another.
            var work = worker.Work;
            if (seen.Count == 1)
            {
                held = (await work.TakeAsync(1))[0];
            }
            else if (seen.Count == 2)
            {
                Assert.True(await work.ReportAsync(held!, 5, 20, null));
            }
            else if (seen.Count == 3)
            {
                Assert.True(await work.ReportAsync(held!, 10, 20, new StoredImage("half"u8.ToArray(), OutputFormat.Jpeg, 16, 8)));
            }
            else if (seen.Count == 4)
            {
                Assert.Equal("half", (await api.Jobs.FindPreviewAsync(job.Id, 0, Limit()))!.Text());
                await work.CompleteAsync(held!, Finished(), Limit());
            }
        }
        Assert.Equal([(JobState.Queued, 0, 0), (JobState.Running, 0, 0), (JobState.Running, 5, 0), (JobState.Running, 10, 1),
            (JobState.Succeeded, 20, 1)],
            seen.Select(snapshot => (snapshot.State, snapshot.Images[0].Step, snapshot.Images[0].Previews)));
        Assert.Equal(seen.Select(snapshot => snapshot.Revision).Order(), seen.Select(snapshot => snapshot.Revision));

        // Who comes back with the last revision it saw hears only what is newer.
        var again = new List<JobSnapshot>();
        await foreach (var snapshot in api.Jobs.WatchAsync(job.Id, seen[3].Revision, Limit()))
            again.Add(snapshot);
        Assert.Equal(JobState.Succeeded, Assert.Single(again).State);
    }

    WorkItem? held;

    [RedisFact]
    public async Task What_waits_and_is_cancelled_is_never_started()
    {
        var (cancelled, other) = (Job(count: 3), Job());
        await api.Jobs.SubmitAsync(cancelled, null, Limit());
        await api.Jobs.SubmitAsync(other, null, Limit());
        var after = await api.Jobs.CancelAsync(cancelled.Id, Limit());
        Assert.Equal(JobState.Cancelled, after!.State);
        Assert.Equal(other.Id, (await worker.Work.TakeAsync(1))[0].Job.Id);
        Assert.Empty(await worker.Work.ReadAsync(12, Limit()));
        Assert.Equal(1, (await api.Fleet.MeasureAsync(Limit())).Pending);
    }

    [RedisFact]
    public async Task What_runs_and_is_cancelled_is_called_out_and_its_late_result_does_not_count()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        await worker.Work.WaitForWorkAsync(Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        await worker.Work.WaitForWorkAsync(Limit()); // Listens by now.
        Assert.Equal(JobState.Cancelled, (await api.Jobs.CancelAsync(job.Id, Limit()))!.State);
        Assert.Equal(job.Id, await worker.Work.Cancellations.ReadAsync(Limit()));
        Assert.False(await worker.Work.ReportAsync(item, 3, 20, null));
        Assert.False(await worker.Work.CompleteAsync(item, Finished(), Limit()));
        var final = await api.Jobs.WaitWithImagesAsync(job.Id, Limit());
        Assert.Equal(JobState.Cancelled, final!.Job.State);
        Assert.Null(final.Images[0]);
    }

    [RedisFact]
    public async Task The_same_key_leads_to_the_first_job_and_another_body_under_it_is_refused()
    {
        var (first, second) = (Job(), Job());
        var token = new IdempotencyToken("key with spaces", "hash", TimeSpan.FromMinutes(5));
        await api.Jobs.SubmitAsync(first, token, Limit());
        Assert.Equal(new SubmitOutcome.Duplicate(first.Id), await api.Jobs.SubmitAsync(second, token, Limit()));
        Assert.Equal(new SubmitOutcome.KeyReused(first.Id),
            await api.Jobs.SubmitAsync(second, token with { RequestHash = "other" }, Limit()));
        Assert.Null(await api.Jobs.FindAsync(second.Id, Limit()));
        // Keys are the caller's own.
        var stranger = Job(owner: "eve");
        Assert.Equal(new SubmitOutcome.Accepted(stranger.Id), await api.Jobs.SubmitAsync(stranger, token, Limit()));
    }

    [RedisFact]
    public async Task Submitting_the_same_job_again_after_a_lost_answer_adds_nothing()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        Assert.Equal(new SubmitOutcome.Accepted(job.Id), await api.Jobs.SubmitAsync(job, null, Limit()));
        Assert.Equal(1, (await api.Fleet.MeasureAsync(Limit())).Waiting);
    }

    [RedisFact]
    public async Task A_callers_jobs_are_listed_newest_first_page_by_page_and_nobody_elses()
    {
        var ids = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            var job = Job();
            ids.Add(job.Id);
            await api.Jobs.SubmitAsync(job, null, Limit());
            await api.Jobs.SubmitAsync(Job(owner: "eve"), null, Limit());
            var then = await Milliseconds();
            await EventuallyAsync(Milliseconds, now => now > then); // Redis' clock orders them.
        }
        ids.Reverse();
        await api.Redis.KeyDeleteAsync(api.Keys.Job(ids[4])); // One has expired.
        ids.RemoveAt(4);
        var (listed, cursor) = (new List<string>(), (string?)null);
        do
        {
            var page = await api.Jobs.ListAsync("ada", cursor, 3, Limit());
            listed.AddRange(page.Jobs.Select(job => job.Job.Id));
            cursor = page.NextCursor;
        } while (cursor is not null);
        Assert.Equal(ids, listed);

        async Task<long> Milliseconds() =>
            (long)await api.Redis.ScriptEvaluateAsync("local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)");
    }

    [RedisFact]
    public async Task The_position_counts_what_stands_before_and_tells_how_long_that_takes()
    {
        var jobs = Enumerable.Range(0, 5).Select(_ => Job(count: 2)).ToList();
        foreach (var job in jobs)
            await api.Jobs.SubmitAsync(job, null, Limit());
        Assert.Equal(new QueuePosition(8, null), await api.Jobs.PositionAsync(jobs[4].Id, Limit()));
        await worker.Fleet.SendHeartbeatAsync(FleetTests.Beat("w1", imagesPerSecond: 2), Limit());
        await worker.Work.TakeAsync(3);
        Assert.Equal(new QueuePosition(5, TimeSpan.FromSeconds(2.5)), await api.Jobs.PositionAsync(jobs[4].Id, Limit()));
        Assert.Equal(new QueuePosition(0, TimeSpan.Zero), await api.Jobs.PositionAsync(jobs[1].Id, Limit()));
        Assert.Null(await api.Jobs.PositionAsync(jobs[0].Id, Limit()));
    }

    [RedisFact]
    public async Task What_was_cancelled_while_it_waited_is_counted_out_at_once_and_not_twice()
    {
        var jobs = Enumerable.Range(0, 4).Select(_ => Job(count: 2)).ToList();
        foreach (var job in jobs)
            await api.Jobs.SubmitAsync(job, null, Limit());
        await api.Jobs.CancelAsync(jobs[1].Id, Limit());
        await api.Jobs.CancelAsync(jobs[3].Id, Limit());
        Assert.Equal(new QueuePosition(2, null), await api.Jobs.PositionAsync(jobs[2].Id, Limit()));
        Assert.Equal(new QueuePosition(0, null), await api.Jobs.PositionAsync(jobs[0].Id, Limit()));
        Assert.Equal(4, (await api.Fleet.MeasureAsync(Limit())).Waiting);
        // A worker passes the first two and the cancelled ones among them.
        await worker.Work.TakeAsync(3);
        Assert.Equal(1, (await api.Fleet.MeasureAsync(Limit())).Waiting);
        await worker.Work.TakeAsync(1);
        Assert.Empty(await worker.Work.ReadAsync(12, Limit()));
        var measured = await api.Fleet.MeasureAsync(Limit());
        Assert.Equal((0, 4), (measured.Waiting, measured.Pending));
        var late = Job();
        await api.Jobs.SubmitAsync(late, null, Limit());
        Assert.Equal(new QueuePosition(0, null), await api.Jobs.PositionAsync(late.Id, Limit()));
    }

    [RedisFact]
    public async Task Without_a_worker_cancelled_images_leave_the_queue_at_once_and_positions_stay_right()
    {
        var small = fixture.Start(("MaxLength", "100"));
        var (before, after) = (Job(), Job(count: 2));
        await small.Jobs.SubmitAsync(before, null, Limit());
        for (var i = 0; i < 30; i++)
        {
            var job = Job(count: 10, priority: i % 2 == 0 ? JobPriority.Interactive : JobPriority.Batch);
            Assert.IsType<SubmitOutcome.Accepted>(await small.Jobs.SubmitAsync(job, null, Limit()));
            await small.Jobs.CancelAsync(job.Id, Limit());
        }
        await small.Jobs.SubmitAsync(after, null, Limit());
        Assert.Equal(3, await api.Redis.StreamLengthAsync(api.Keys.Stream(JobPriority.Interactive)));
        Assert.Equal(0, await api.Redis.StreamLengthAsync(api.Keys.Stream(JobPriority.Batch)));
        Assert.Equal(new QueuePosition(0, null), await api.Jobs.PositionAsync(before.Id, Limit()));
        Assert.Equal(new QueuePosition(1, null), await api.Jobs.PositionAsync(after.Id, Limit()));
        var measured = await api.Fleet.MeasureAsync(Limit());
        Assert.Equal((3, 0, 303, 300), (measured.Waiting, measured.Pending, measured.Arrivals, measured.Ended));
        Assert.Equal([before.Id, after.Id, after.Id], (await worker.Work.TakeAsync(3)).Select(item => item.Job.Id));
    }

    [RedisFact]
    public async Task What_is_stored_of_cancelled_images_is_bounded()
    {
        var waiting = Job();
        for (var i = 0; i < 1010; i += 10)
        {
            var jobs = Enumerable.Range(0, 10).Select(_ => Job(count: 10)).ToList();
            await Task.WhenAll(jobs.Select(job => api.Jobs.SubmitAsync(job, null, Limit())));
            await Task.WhenAll(jobs.Select(job => api.Jobs.CancelAsync(job.Id, Limit())));
            if (i == 0)
                await api.Jobs.SubmitAsync(waiting, null, Limit());
        }

        Assert.Equal(10_000, await api.Redis.SortedSetLengthAsync(api.Keys.Prefix.Append("cancelled:interactive")));
        Assert.Equal(new QueuePosition(0, null), await api.Jobs.PositionAsync(waiting.Id, Limit()));
    }

    [RedisFact]
    public async Task A_refused_request_takes_nothing_of_a_limit_from_others_that_count_at_the_same_time()
    {
        var window = TimeSpan.FromHours(1);
        Assert.Null(await api.Jobs.CountAgainstLimitAsync("ada", 95, 100, window, Limit()));
        var other = fixture.Start();
        var refused = Enumerable.Range(0, 200).Select(_ => other.Jobs.CountAgainstLimitAsync("ada", 10, 100, window, Limit())).ToList();
        for (var i = 0; i < 5; i++)
            Assert.Null(await api.Jobs.CountAgainstLimitAsync("ada", 1, 100, window, Limit()));
        Assert.All(await Task.WhenAll(refused), retryAfter => Assert.InRange(retryAfter!.Value, TimeSpan.FromSeconds(1), window));
        Assert.NotNull(await api.Jobs.CountAgainstLimitAsync("ada", 1, 100, window, Limit()));
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
    }

    [RedisFact]
    public async Task A_request_that_alone_exceeds_the_limit_is_paid_for_with_as_many_windows_as_it_needs()
    {
        Assert.Null(await api.Jobs.CountAgainstLimitAsync("ada", 10, 1, TimeSpan.FromHours(1), Limit()));
        var retryAfter = (await api.Jobs.CountAgainstLimitAsync("ada", 1, 1, TimeSpan.FromHours(1), Limit()))!.Value;
        Assert.InRange(retryAfter, TimeSpan.FromHours(9), TimeSpan.FromHours(10));
    }

    [RedisFact]
    public async Task What_would_wait_longer_than_promised_is_refused_with_the_time_to_come_back()
    {
        var strict = fixture.Start(("MaxWait", "00:00:02"));
        await worker.Fleet.SendHeartbeatAsync(FleetTests.Beat("w1", imagesPerSecond: 2), Limit());
        await strict.Jobs.SubmitAsync(Job(count: 10), null, Limit());
        var refused = Assert.IsType<SubmitOutcome.QueueFull>(await strict.Jobs.SubmitAsync(Job(), null, Limit()));
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(3)), (refused.EstimatedWait, refused.RetryAfter));
        // A second worker like the first halves the wait.
        await worker.Fleet.SendHeartbeatAsync(FleetTests.Beat("w2"), Limit());
        await worker.Fleet.SendHeartbeatAsync(FleetTests.Beat("w3"), Limit());
        Assert.IsType<SubmitOutcome.Accepted>(await strict.Jobs.SubmitAsync(Job(), null, Limit()));
    }

    [RedisFact]
    public async Task The_queue_is_bounded_in_length_where_no_speed_is_known()
    {
        var small = fixture.Start(("MaxLength", "3"));
        Assert.IsType<SubmitOutcome.Accepted>(await small.Jobs.SubmitAsync(Job(count: 3), null, Limit()));
        Assert.Equal(TimeSpan.FromSeconds(5),
            Assert.IsType<SubmitOutcome.QueueFull>(await small.Jobs.SubmitAsync(Job(), null, Limit())).RetryAfter);
    }

    [RedisFact]
    public async Task A_lost_message_is_made_good_by_the_sweep()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        var waiting = api.Jobs.WaitAsync(job.Id, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        await EventuallyAsync(() => Task.FromResult(api.Events.Count), count => count == 1);
        // The end arrives without a word: as if the message had been lost.
        await api.Redis.ScriptEvaluateAsync("redis.call('HSET', KEYS[1], 'state', '2', '0:state', '2', 'revision', '9')",
            [api.Keys.Job(job.Id)]);
        Assert.Equal(JobState.Succeeded, (await waiting)!.State);
        Assert.Equal(0, item.Index);
    }

    [RedisFact]
    public async Task After_a_Redis_that_lost_its_last_second_those_who_wait_still_hear_of_the_end()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        for (var step = 1; step <= 10; step++)
            await worker.Work.ReportAsync(item, step, 20, null);
        await using var watching = api.Jobs.WatchAsync(job.Id, 0, Limit()).GetAsyncEnumerator();
        Assert.True(await watching.MoveNextAsync());
        Assert.Equal(12, watching.Current.Revision);
        var waiting = api.Jobs.WaitAsync(job.Id, Limit());
        var next = watching.MoveNextAsync().AsTask();
        await EventuallyAsync(() => Task.FromResult(api.Events.Count), count => count == 1);

        // The clients were notified of its end; that and most of its steps were lost.
        await api.Redis.PublishAsync(api.Keys.Events, $"{job.Id} 13 {(int)JobState.Succeeded}");
        await api.Redis.HashSetAsync(api.Keys.Job(job.Id), "revision", 3);
        Assert.True(await worker.Work.CompleteAsync(item, Finished(), Limit()));
        Assert.Equal((JobState.Succeeded, 4), ((await waiting)!.State, (await waiting)!.Revision));
        while (await next && !watching.Current.State.IsFinal())
            next = watching.MoveNextAsync().AsTask();
        Assert.Equal(JobState.Succeeded, watching.Current.State);
    }

    [RedisFact]
    public async Task Two_thousand_who_wait_cost_one_subscription()
    {
        var jobs = Enumerable.Range(0, 200).Select(_ => Job(count: 1)).ToList();
        foreach (var job in jobs)
            await api.Jobs.SubmitAsync(job, null, Limit());
        var waiting = Enumerable.Range(0, 2000).Select(i => api.Jobs.WaitAsync(jobs[i % 200].Id, Limit())).ToList();
        await EventuallyAsync(() => Task.FromResult(api.Events.Count), count => count == 200);
        var subscribers =
            (StackExchange.Redis.RedisResult[])(await api.Redis.ExecuteAsync("PUBSUB", "NUMSUB", api.Keys.Events.ToString()))!;
        Assert.Equal(1, (int)subscribers[1]);
        for (var done = 0; done < 200;)
        {
            foreach (var item in await worker.Work.ReadAsync(12, Limit()))
            {
                await worker.Work.CompleteAsync(item, Finished(), Limit());
                done++;
            }
        }

        Assert.All(await Task.WhenAll(waiting), job => Assert.Equal(JobState.Succeeded, job!.State));
        await EventuallyAsync(() => Task.FromResult(api.Events.Count), count => count == 0);
    }

    [RedisFact]
    public async Task While_Redis_is_away_the_queue_says_so_and_it_works_again_when_it_is_back()
    {
        await using var own = await QueueFixture.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        var (front, back) = (own.Start(), own.Start());
        var job = Job();
        await front.Jobs.SubmitAsync(job, null, Limit());
        var item = (await back.Work.TakeAsync(1))[0];
        await using var watching = front.Jobs.WatchAsync(job.Id, 0, Limit()).GetAsyncEnumerator();
        Assert.True(await watching.MoveNextAsync()); // Waits for the next change by now.
        await own.Redis.KillAsync();
        await Assert.ThrowsAsync<QueueUnavailableException>(() => front.Jobs.FindAsync(job.Id, Limit()));
        await Assert.ThrowsAsync<QueueUnavailableException>(() => front.Jobs.SubmitAsync(Job(), null, Limit()));
        await Assert.ThrowsAsync<QueueUnavailableException>(() => back.Work.ReadAsync(1, Limit()));
        var storing = back.Work.CompleteAsync(item, Finished("held"), Limit());
        Assert.False(storing.IsCompleted);
        await own.Redis.LaunchAsync();
        Assert.True(await storing);
        while (!watching.Current.State.IsFinal())
            Assert.True(await watching.MoveNextAsync());
        Assert.Equal(JobState.Succeeded, watching.Current.State);
        Assert.Equal("held", (await front.Jobs.FindImageAsync(job.Id, 0, Limit()))!.Text());
        Assert.Empty(await EventuallyAsync(() => back.Work.ReadAsync(1, Limit()), _ => true));
    }
}
