using Muse.Queue;
using Muse.Tests.Infrastructure;
using StackExchange.Redis;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>Large images, inputs and checkpoints are uploaded before the script that stores them.</summary>
public sealed class UploadTests : IAsyncLifetime
{
    static readonly string Large = new('x', 100_000);

    QueueFixture fixture = null!;
    QueueFixture.Program api = null!, first = null!, second = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable)
            return;
        fixture = await QueueFixture.StartAsync();
        fixture.ConnectionString += ",allowAdmin=true";
        api = fixture.Start(("MaxLength", "3"));
        first = fixture.Start(("Lease", "00:00:01"));
        second = fixture.Start(("Lease", "00:00:01"));
    }

    public async Task DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    [RedisFact]
    public async Task Of_two_workers_that_complete_a_large_image_the_second_leaves_nothing()
    {
        var item = await AcceptAndTakeAsync(Job());
        var taken = (await second.Work.TakeAsync(1))[0]; // The lease of the first has expired.
        Assert.True(await second.Work.CompleteAsync(taken, Finished(Large + "the one"), Limit()));
        Assert.False(await first.Work.CompleteAsync(item, Finished(Large + "too late"), Limit()));
        await AssertStoredAsync(item, Large + "the one");
        // The same worker gets the same answer again, and the first bytes stay.
        Assert.True(await second.Work.CompleteAsync(taken, Finished(Large + "again"), Limit()));
        await AssertStoredAsync(item, Large + "the one");
    }

    [RedisFact]
    public async Task The_late_result_of_a_cancelled_or_expired_job_leaves_nothing()
    {
        var item = await AcceptAndTakeAsync(Job());
        await api.Jobs.CancelAsync(item.Job.Id, Limit());
        Assert.False(await first.Work.CompleteAsync(item, Finished(Large), Limit()));
        Assert.Empty(KeysOf(item.Job, "pictures"));
        await api.Redis.KeyDeleteAsync(api.Keys.Job(item.Job.Id));
        Assert.False(await first.Work.CompleteAsync(item, Finished(Large), Limit()));
        Assert.Empty(KeysOf(item.Job, "pictures"));
    }

    [RedisFact]
    public async Task A_script_that_does_not_find_its_upload_changes_nothing()
    {
        var item = await AcceptAndTakeAsync(Job());
        var reply = (RedisResult[])(await first.Connection.RunAsync(QueueScripts.Complete, Limit(), 1000, 1000, first.Work.Worker,
            item.Job.Id, item.Index, QueueKeys.Lane(item.Lane), item.EntryId, "{}", "Png 128 64", "", "lost"))!;
        Assert.IsType<QueueUnavailableException>(QueueConnection.ToException((string)reply.Single()!));
        Assert.Equal(JobState.Running, (await api.Jobs.FindAsync(item.Job.Id, Limit()))!.State);
        Assert.Equal(1, (await api.Fleet.MeasureAsync(Limit())).Pending);
        Assert.True(await first.Work.CompleteAsync(item, Finished(Large), Limit()));
        await AssertStoredAsync(item, Large);
    }

    [RedisFact]
    public async Task A_worker_holds_a_result_that_could_not_be_uploaded()
    {
        var item = await AcceptAndTakeAsync(Job());
        await api.Redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
        var storing = first.Work.CompleteAsync(item, Finished(Large), Limit());
        // The script is refused for want of its upload, more than once.
        await EventuallyAsync(async () => (string)(await api.Redis.ExecuteAsync("INFO", "errorstats"))!,
            errors => errors.Contains("errorstat_OOM:count=3", StringComparison.Ordinal));
        Assert.False(storing.IsCompleted);
        Assert.Equal(JobState.Running, (await api.Jobs.FindAsync(item.Job.Id, Limit()))!.State);
        await api.Redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        Assert.True(await storing);
        await AssertStoredAsync(item, Large);
    }

    [RedisFact]
    public async Task A_worker_that_dies_after_an_upload_leaves_nothing_that_stays()
    {
        var item = await AcceptAndTakeAsync(Job());
        RedisKey[] uploads =
        [
            api.Keys.ImageUpload(item.Job.Id, 0, "dead"), api.Keys.InputUpload("dead"), api.Keys.CheckpointUpload(item.Job.Id, 0, "dead"),
        ];
        await QueueConnection.UploadAsync(api.Redis, uploads[0], [new(JobHash.ImageBytes, Large)]);
        await QueueConnection.UploadAsync(api.Redis, uploads[1], [new("image", Large)]);
        await api.Redis.StringSetAsync(uploads[2], Large, QueueConnection.UploadKept);
        foreach (var upload in uploads)
            Assert.InRange((await api.Redis.KeyTimeToLiveAsync(upload))!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        Assert.Null(await api.Jobs.FindImageAsync(item.Job.Id, 0, Limit()));
        Assert.True(await second.Work.CompleteAsync((await second.Work.TakeAsync(1))[0], Finished(Large + "2"), Limit()));
        Assert.Equal(Large + "2", (await api.Jobs.FindImageAsync(item.Job.Id, 0, Limit()))!.Text());
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
    }

    [RedisFact]
    public async Task All_images_of_a_job_expire_with_the_retention_after_its_end_and_stay_while_it_is_requeued()
    {
        var worker = fixture.Start(("Retention", "00:01:00"));
        var job = Job(count: 3);
        await api.Jobs.SubmitAsync(job, null, Limit());
        var items = await worker.Work.TakeAsync(3);
        await worker.Work.CompleteAsync(items[0], Finished(Large), Limit());
        await worker.Work.CompleteAsync(items[1], Finished("small"), Limit());
        await AssertExpiryAsync(TimeSpan.FromDays(6), TimeSpan.FromDays(7));
        // The last image ends as a dead letter.
        await worker.Connection.RunAsync(QueueScripts.Fail, Limit(),
            60_000, job.Id, 2, worker.Work.Worker, QueueKeys.Lane(items[2].Lane), items[2].EntryId, "{}", "a test");
        await AssertExpiryAsync(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        Assert.True(await api.Dead.RequeueAsync(Assert.Single(await api.Dead.ListAsync(10, Limit())).Id, Limit()));
        await AssertExpiryAsync(TimeSpan.FromDays(6), TimeSpan.FromDays(7));

        async Task AssertExpiryAsync(TimeSpan from, TimeSpan to)
        {
            foreach (var index in (int[])[0, 1])
                Assert.InRange((await api.Redis.KeyTimeToLiveAsync(api.Keys.Image(job.Id, index)))!.Value, from, to);
        }
    }

    [RedisFact]
    public async Task A_job_whose_input_was_lost_on_its_way_is_not_accepted()
    {
        var job = Edit();
        RedisValue[] arguments =
            [60_000, 60_000, 10, 10, job.Id, QueueJson.Write(job), job.Owner, 1, "interactive", "", "", "", 1, "", 1, ""];
        var reply = (RedisResult[])((RedisResult[])(await api.Connection.RunAsync(QueueScripts.Submit, Limit(), arguments))!).Single()!;
        Assert.Equal(SubmitReply.Error, (string?)reply[0]);
        Assert.IsType<QueueUnavailableException>(QueueConnection.ToException((string)reply[1]!));
        Assert.Null(await api.Jobs.FindAsync(job.Id, Limit()));
        Assert.Equal(0, (await api.Fleet.MeasureAsync(Limit())).Waiting);
        Assert.IsType<SubmitOutcome.Accepted>(await api.Jobs.SubmitAsync(job, Pixels, null, Limit()));
    }

    [RedisFact]
    public async Task A_submission_that_adds_no_job_leaves_no_input_and_a_repeated_one_keeps_it()
    {
        var key = new IdempotencyToken("key", "body", TimeSpan.FromMinutes(1));
        ImageJob job = Edit(), duplicate = Edit(), tooMany = Edit() with { Count = 3 };
        for (var attempt = 0; attempt < 2; attempt++)
            Assert.IsType<SubmitOutcome.Accepted>(await api.Jobs.SubmitAsync(job, Pixels, key, Limit()));
        Assert.IsType<SubmitOutcome.Duplicate>(await api.Jobs.SubmitAsync(duplicate, Pixels, key, Limit()));
        Assert.IsType<SubmitOutcome.QueueFull>(await api.Jobs.SubmitAsync(tooMany, Pixels, null, Limit()));
        Assert.Equal([api.Keys.Input(job.Id)], KeysOf(job, "input"));
        Assert.Empty(KeysOf(duplicate, "").Concat(KeysOf(tooMany, "")));
        Assert.InRange((await api.Redis.KeyTimeToLiveAsync(api.Keys.Input(job.Id)))!.Value, TimeSpan.FromDays(6), TimeSpan.FromDays(7));
        var input = await first.Work.ReadInputAsync((await first.Work.TakeAsync(1))[0], Limit());
        Assert.Equal(Pixels.Image.ToArray(), input.Image.ToArray());
        Assert.Equal(Pixels.Mask.ToArray(), input.Mask.ToArray());
    }

    [RedisFact]
    public async Task A_checkpoint_of_a_worker_that_has_lost_its_image_is_deleted_and_that_of_an_ended_image_too()
    {
        var item = await AcceptAndTakeAsync(Job());
        Assert.True(await first.Work.SaveCheckpointAsync(item, 5, "step 5"u8.ToArray()));
        Assert.InRange(
            (await api.Redis.KeyTimeToLiveAsync(api.Keys.Checkpoint(item.Job.Id, 0)))!.Value, TimeSpan.FromDays(6), TimeSpan.FromDays(7));
        var taken = (await second.Work.TakeAsync(1))[0];
        Assert.False(await first.Work.SaveCheckpointAsync(item, 9, "stale"u8.ToArray()));
        Assert.Equal([api.Keys.Checkpoint(item.Job.Id, 0)], KeysOf(item.Job, "checkpoint"));
        Assert.Equal("step 5", await api.Redis.StringGetAsync(api.Keys.Checkpoint(item.Job.Id, 0)));
        // An upload that was lost leaves the last checkpoint.
        Assert.Equal(1, (int)await second.Connection.RunAsync(
            QueueScripts.Checkpoint, Limit(), 60_000, item.Job.Id, 0, second.Work.Worker));
        Assert.Equal("step 5", await api.Redis.StringGetAsync(api.Keys.Checkpoint(item.Job.Id, 0)));
        await second.Work.CompleteAsync(taken, Finished(), Limit());
        Assert.Empty(KeysOf(item.Job, "checkpoint"));
    }

    static readonly InputPixels Pixels = new("image pixels"u8.ToArray(), "mask"u8.ToArray());

    static ImageJob Edit() => Job() with
    {
        Width = 8,
        Height = 8,
        Input = new JobInput { Strength = 0.5, HasMask = true, ContentWidth = 8, ContentHeight = 8 },
    };

    async Task<WorkItem> AcceptAndTakeAsync(ImageJob job)
    {
        await api.Jobs.SubmitAsync(job, null, Limit());
        return (await first.Work.TakeAsync(1))[0];
    }

    /// <summary>The image is stored with these bytes, and nothing is left of an upload.</summary>
    async Task AssertStoredAsync(WorkItem item, string content)
    {
        Assert.Equal(content, (await api.Jobs.FindImageAsync(item.Job.Id, 0, Limit()))!.Text());
        Assert.Equal([api.Keys.Image(item.Job.Id, 0)], KeysOf(item.Job, "pictures"));
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
    }

    /// <summary>A job's keys with a word in their names.</summary>
    List<RedisKey> KeysOf(ImageJob job, string word) =>
        [.. api.Redis.Multiplexer.GetServers().Single().Keys(pattern: $"*:job:{job.Id}*{word}*")];
}
