using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>The queue with an object store: a real S3 server and a real Redis.</summary>
public sealed class ObjectStoreTests(SharedS3Server shared) : IClassFixture<SharedS3Server>, IAsyncLifetime
{
    static readonly InputPixels Pixels = new("image pixels"u8.ToArray(), "mask"u8.ToArray());
    static readonly JobInput Input = new() { Strength = 0.5, HasMask = true, ContentWidth = 64, ContentHeight = 64 };

    QueueFixture fixture = null!;
    S3Server store = null!;
    QueueFixture.Program api = null!, worker = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable || !S3Server.IsAvailable)
            return;
        store = await shared.GetAsync();
        fixture = await QueueFixture.StartAsync();
        fixture.Store = store;
        api = fixture.Start(("Lease", "00:00:01"));
        worker = fixture.Start(("Lease", "00:00:01"));
    }

    public async Task DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    [S3Fact]
    public async Task The_bytes_of_images_and_inputs_are_objects_and_Redis_holds_pointers_to_them()
    {
        var job = Edit(count: 2);
        Assert.IsType<SubmitOutcome.Accepted>(await api.Jobs.SubmitAsync(job, Pixels, null, Limit()));
        Assert.Equal(1, store.Count);
        var waiting = api.Jobs.WaitWithImagesAsync(job, Limit());
        var items = await worker.Work.TakeAsync(2);
        var input = await worker.Work.ReadInputAsync(items[0], Limit());
        Assert.Equal(("image pixels", "mask"), (Text(input.Image), Text(input.Mask)));
        Assert.True(await worker.Work.ReportAsync(items[0], 5, 20, new StoredImage("half"u8.ToArray(), OutputFormat.Jpeg, 16, 8)));
        var large = new string('x', 100_000);
        Assert.True(await worker.Work.CompleteAsync(items[0], Finished("one"), Limit()));
        Assert.True(await worker.Work.CompleteAsync(items[1], Finished(large), Limit()));

        var finished = (await waiting)!;
        Assert.Equal(["one", large], finished.Images.Select(image => image!.Text()));
        Assert.Equal((OutputFormat.Png, 128, 64), (finished.Images[0]!.Format, finished.Images[0]!.Width, finished.Images[0]!.Height));
        Assert.Equal("one", (await api.Jobs.FindImageAsync(job.Id, 0, Limit()))!.Text());
        Assert.Equal("half", (await api.Jobs.FindPreviewAsync(job.Id, 0, Limit()))!.Text());
        Assert.Equal(3, store.Count);
        for (var index = 0; index < 2; index++)
        {
            var stored = Assert.Single(await api.Redis.HashGetAllAsync(api.Keys.Image(job.Id, index)));
            Assert.True(stored.Value.Length() < 200, "The bytes are in Redis too.");
        }
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
    }

    [S3Fact]
    public async Task Images_that_were_stored_in_Redis_before_are_read_from_there()
    {
        var before = fixture.StartWithoutStore();
        var job = Job();
        await before.Jobs.SubmitAsync(job, null, Limit());
        await before.Work.CompleteAsync((await before.Work.TakeAsync(1))[0], Finished("in Redis"), Limit());
        Assert.Equal("in Redis", (await api.Jobs.FindImageAsync(job.Id, 0, Limit()))!.Text());
        Assert.Equal(0, store.Count);
    }

    [S3Fact]
    public async Task A_process_without_the_store_says_that_it_needs_it()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        await worker.Work.CompleteAsync((await worker.Work.TakeAsync(1))[0], Finished(), Limit());
        var without = fixture.StartWithoutStore();
        var thrown = await Assert.ThrowsAsync<ObjectStoreUnavailableException>(() => without.Jobs.FindImageAsync(job.Id, 0, Limit()));
        Assert.Contains("ObjectStore:Bucket must be set", thrown.Message, StringComparison.Ordinal);
    }

    [S3Fact]
    public async Task Of_two_workers_that_complete_an_image_the_second_deletes_its_object()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        var first = (await worker.Work.TakeAsync(1))[0];
        var other = fixture.Start(("Lease", "00:00:01"));
        var second = (await other.Work.TakeAsync(1))[0]; // The lease of the first has expired.
        Assert.True(await other.Work.CompleteAsync(second, Finished("the one"), Limit()));
        Assert.False(await worker.Work.CompleteAsync(first, Finished("too late"), Limit()));
        Assert.Equal(1, store.Count);
        Assert.Equal("the one", (await api.Jobs.FindImageAsync(job.Id, 0, Limit()))!.Text());
    }

    [S3Fact]
    public async Task A_worker_that_generates_an_image_twice_keeps_the_object_that_Redis_points_to()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        worker.Work.ForgetAll();
        var again = (await worker.Work.TakeAsync(1))[0];
        Assert.True(await worker.Work.CompleteAsync(item, Finished("first"), Limit()));
        Assert.False(await worker.Work.CompleteAsync(again, Finished("again"), Limit()));
        Assert.Equal(1, store.Count);
        Assert.Equal("first", (await api.Jobs.FindImageAsync(job.Id, 0, Limit()))!.Text());
    }

    [S3Fact]
    public async Task While_the_store_is_away_a_worker_holds_its_result_and_takes_no_more()
    {
        var jobs = new[] { Job(), Job() };
        foreach (var job in jobs)
            await api.Jobs.SubmitAsync(job, null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        await store.KillAsync();
        var storing = worker.Work.CompleteAsync(item, Finished("held"), Limit());
        // The image that waits is there for others.
        await EventuallyAsync(() => Task.FromResult(worker.Work.WaitsForStore), waits => waits);
        Assert.Empty(await worker.Work.ReadAsync(1, Limit()));
        Assert.Equal(1, (await api.Fleet.MeasureAsync(Limit())).Waiting);
        Assert.Single(worker.Work.Held);
        Assert.Empty(await worker.Work.RenewAsync([item], Limit()));
        await store.LaunchAsync();
        Assert.True(await storing);
        Assert.Equal(jobs[1].Id, (await worker.Work.TakeAsync(1))[0].Job.Id);
        Assert.Equal("held", (await api.Jobs.FindImageAsync(jobs[0].Id, 0, Limit()))!.Text());
    }

    [S3Fact]
    public async Task While_the_store_is_away_reads_and_submissions_of_inputs_say_so_and_waiting_clients_wait()
    {
        var (job, next) = (Job(), Job());
        await api.Jobs.SubmitAsync(job, null, Limit());
        await worker.Work.CompleteAsync((await worker.Work.TakeAsync(1))[0], Finished("kept"), Limit());
        await api.Jobs.SubmitAsync(next, null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        var waiting = api.Jobs.WaitWithImagesAsync(next, Limit());
        await store.KillAsync();
        await Assert.ThrowsAsync<ObjectStoreUnavailableException>(() => api.Jobs.FindImageAsync(job.Id, 0, Limit()));
        await Assert.ThrowsAsync<ObjectStoreUnavailableException>(() => api.Jobs.WaitWithImagesAsync(job.Id, Limit()));
        await Assert.ThrowsAsync<ObjectStoreUnavailableException>(() => api.Jobs.SubmitAsync(Edit(), Pixels, null, Limit()));
        Assert.Equal(JobState.Succeeded, (await api.Jobs.FindAsync(job.Id, Limit()))!.State);
        Assert.True(await fixture.StartWithoutStore().Work.CompleteAsync(item, Finished("in Redis"), Limit()));
        Assert.Equal("in Redis", (await waiting)!.Images[0]!.Text());
        var reading = api.Jobs.FindImageWhenAvailableAsync(job.Id, 0, Limit());
        await store.LaunchAsync();
        Assert.Equal("kept", (await reading)!.Text());
    }

    [S3Fact]
    public async Task An_object_that_someone_deleted_is_an_image_that_is_not_there()
    {
        var job = Job();
        await api.Jobs.SubmitAsync(job, null, Limit());
        await worker.Work.CompleteAsync((await worker.Work.TakeAsync(1))[0], Finished(), Limit());
        await api.Objects.DeleteAsync(Assert.Single(await KeysAsync()), Limit());
        Assert.Null(await api.Jobs.FindImageAsync(job.Id, 0, Limit()));
        Assert.Equal([null], (await api.Jobs.WaitWithImagesAsync(job.Id, Limit()))!.Images);
    }

    [S3Fact]
    public async Task A_submission_that_adds_no_job_leaves_no_input()
    {
        var full = fixture.Start(("MaxLength", "1"));
        var token = new IdempotencyToken("key", "body", TimeSpan.FromMinutes(1));
        Assert.IsType<SubmitOutcome.Accepted>(await full.Jobs.SubmitAsync(Edit(), Pixels, token, Limit()));
        Assert.IsType<SubmitOutcome.Duplicate>(await full.Jobs.SubmitAsync(Edit(), Pixels, token, Limit()));
        Assert.IsType<SubmitOutcome.QueueFull>(await full.Jobs.SubmitAsync(Edit(), Pixels, null, Limit()));
        Assert.Equal(1, store.Count);
    }

    [S3Fact]
    public async Task An_input_whose_object_is_gone_can_not_be_read()
    {
        await api.Jobs.SubmitAsync(Edit(), Pixels, null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        await api.Objects.DeleteAsync(Assert.Single(await KeysAsync()), Limit());
        await Assert.ThrowsAsync<InvalidDataException>(() => worker.Work.ReadInputAsync(item, Limit()));
    }

    [S3Fact]
    public async Task The_sweep_deletes_what_no_job_needs_and_nothing_else()
    {
        var sweeper = fixture.Start(("ObjectStore:OrphanAge", "00:00:01"), ("Lease", "00:00:01"));
        var image = Finished().Image;
        var (running, failed, done) = (Edit(), Edit(), Edit());
        var expired = fixture.Start(("Retention", "00:00:10"));
        var items = new Dictionary<string, WorkItem>();
        foreach (var job in (ImageJob[])[running, failed, done])
            await api.Jobs.SubmitAsync(job, Pixels, null, Limit());
        foreach (var item in await worker.Work.TakeAsync(3))
            items[item.Job.Id] = item;
        await worker.Work.FailAsync(items[failed.Id], new JobError(JobErrorCodes.EngineFailure, "It failed."), Limit());
        await worker.Work.CompleteAsync(items[done.Id], Finished("done"), Limit());
        var gone = Job();
        await expired.Jobs.SubmitAsync(gone, null, Limit());
        await expired.Work.CompleteAsync((await expired.Work.TakeAsync(1))[0], Finished("expired"), Limit());

        // Objects of workers that died before Redis knew of them, and one that is not Muse's.
        var lost = new Dictionary<string, string>();
        foreach (var job in (ImageJob[])[running, failed, done, Job("never-was")])
        {
            lost[job.Id] = api.Objects.NewImageKey(job.Id, 0, OutputFormat.Png);
            await api.Objects.WriteImageAsync(lost[job.Id], image, Limit());
        }
        await api.Objects.WriteImageAsync("scenes/other", image, Limit());
        await EventuallyAsync(() => api.Jobs.FindAsync(gone.Id, Limit()), found => found is null);
        await EventuallyAsync(AgesAsync, ages => ages.All(age => age > TimeSpan.FromSeconds(2)));

        Assert.Equal(0, await api.Sweep.RunAsync(Limit())); // All are younger than an hour.
        var before = await KeysAsync();
        Assert.Equal(10, before.Count); // Three inputs, two images, four of dead workers, another.
        Assert.Equal(4, await sweeper.Sweep.RunAsync(Limit()));
        var deleted = before.Except(await KeysAsync()).ToList();
        Assert.Contains(lost["never-was"], deleted);
        Assert.Contains(lost[done.Id], deleted);
        Assert.Contains(deleted, key => key.StartsWith("scenes/inputs/", StringComparison.Ordinal) && key.Contains($"/{done.Id}/"));
        Assert.Contains(deleted, key => key.StartsWith("scenes/images/", StringComparison.Ordinal) && key.Contains($"/{gone.Id}/"));

        // A worker may still complete the running image with the object that it has stored. The failed one may be requeued.
        Assert.True(await worker.Work.CompleteAsync(items[running.Id], Finished("late"), Limit()));
        Assert.Equal("done", (await api.Jobs.FindImageAsync(done.Id, 0, Limit()))!.Text());
        await EventuallyAsync(AgesAsync, ages => ages.All(age => age > TimeSpan.FromSeconds(2)));
        Assert.Equal(2, await sweeper.Sweep.RunAsync(Limit())); // The other object and the input of the one that has ended.
        Assert.Equal("late", (await api.Jobs.FindImageAsync(running.Id, 0, Limit()))!.Text());

        async Task<List<TimeSpan>> AgesAsync()
        {
            var ages = new List<TimeSpan>();
            await foreach (var page in api.Objects.ListAsync(Limit()))
                ages.AddRange(page.Select(each => each.Age));
            return ages;
        }
    }

    [S3Fact]
    public async Task One_process_sweeps_at_a_time()
    {
        Assert.Equal(0, await api.Sweep.TryRunAsync(Limit()));
        Assert.Null(await worker.Sweep.TryRunAsync(Limit()));
        await api.Redis.KeyDeleteAsync(api.Keys.Sweep);
        Assert.Equal(0, await worker.Sweep.TryRunAsync(Limit()));
    }

    [S3Fact]
    public async Task More_objects_than_fit_a_page_are_listed()
    {
        var image = Finished().Image;
        await Parallel.ForEachAsync(Enumerable.Range(0, 1010), async (i, stop) =>
            await api.Objects.WriteImageAsync(api.Objects.NewImageKey($"job-{i}", 0, OutputFormat.Png), image, stop));
        Assert.Equal(1010, (await KeysAsync()).Distinct().Count());
    }

    [S3Fact]
    public async Task Two_models_and_two_prefixes_share_a_bucket_without_seeing_each_other()
    {
        var maps = fixture.Start(("Model", "maps"), ("ObjectStore:OrphanAge", "00:00:01"));
        var other = fixture.Start(("ObjectStore:Prefix", "test/"), ("ObjectStore:OrphanAge", "00:00:01"));
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        await worker.Work.CompleteAsync((await worker.Work.TakeAsync(1))[0], Finished(), Limit());
        await EventuallyAsync(async () =>
        {
            await foreach (var page in api.Objects.ListAsync(Limit()))
                return page[0].Age;
            return TimeSpan.Zero;
        }, age => age > TimeSpan.FromSeconds(2));
        Assert.Equal((0, 0), (await maps.Sweep.RunAsync(Limit()), await other.Sweep.RunAsync(Limit())));
        Assert.Equal(1, store.Count);
    }

    [S3Theory]
    [InlineData("ObjectStore:Bucket", "another", "ObjectStore:Bucket names the bucket 'another', which does not exist.")]
    [InlineData("ObjectStore:AccessKey", "WRONG", "The object store refuses ObjectStore:AccessKey and ObjectStore:SecretKey")]
    [InlineData("ObjectStore:SecretKey", "wrong", "The object store refuses ObjectStore:AccessKey and ObjectStore:SecretKey")]
    [InlineData("ObjectStore:Endpoint", "http://no-such-host.invalid", "ObjectStore:Endpoint names a host that does not exist")]
    [InlineData("ObjectStore:Endpoint", "http://127.0.0.1:{other}", "does not answer as an S3 service does")]
    [InlineData("ObjectStore:Endpoint", "https://127.0.0.1:{store}", "does not answer as an S3 service does")]
    public async Task A_store_that_can_not_be_used_is_told_in_a_sentence(string setting, string value, string sentence)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var other = builder.Build(); // It has no routes.
        other.Urls.Add("http://127.0.0.1:0");
        await other.StartAsync();
        value = value.Replace("{other}", $"{new Uri(other.Urls.Single()).Port}", StringComparison.Ordinal)
            .Replace("{store}", $"{store.Port}", StringComparison.Ordinal);
        var found = await fixture.Start((setting, value)).Objects.FindUnsupportedAsync();
        Assert.Contains(sentence, found, StringComparison.Ordinal);
        Assert.Single(found!.Split('\n'));
    }

    [S3Fact]
    public async Task A_store_that_stops_in_the_middle_of_an_object_is_unavailable()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var stopping = builder.Build();
        stopping.Urls.Add("http://127.0.0.1:0");
        stopping.MapGet("/{**key}", async context =>
        {
            context.Response.ContentLength = 1000;
            await context.Response.Body.WriteAsync(new byte[10]);
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        await stopping.StartAsync();
        var reader = fixture.Start(("ObjectStore:Endpoint", stopping.Urls.Single()), ("ObjectStore:Timeout", "00:00:01"));
        await Assert.ThrowsAsync<ObjectStoreUnavailableException>(() =>
            reader.Objects.ReadAsync(new StoredObject("scenes/images/key", 1000), Limit()));
    }

    [S3Theory]
    [InlineData("Muse.Api", "ObjectStore__Bucket", "another",
        "ObjectStore:Bucket names the bucket 'another', which does not exist. Create it, or name another one.")]
    [InlineData("Muse.GpuWorker", "ObjectStore__Bucket", "another",
        "ObjectStore:Bucket names the bucket 'another', which does not exist. Create it, or name another one.")]
    [InlineData("Muse.Api", "ObjectStore__AccessKey", "",
        "The object store needs credentials. Set ObjectStore:AccessKey and ObjectStore:SecretKey, or AWS_ACCESS_KEY_ID and "
        + "AWS_SECRET_ACCESS_KEY.")]
    public async Task It_stops_a_program_at_its_start(string program, string setting, string value, string sentence)
    {
        (string, string)[] variables =
        [
            .. store.Variables, (setting, value), ("Logging__LogLevel__Default", "Warning"), ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        if (value.Length == 0)
            variables = [.. variables, ("ObjectStore__SecretKey", "")];
        await using var process = new ProgramProcess(program, fixture.Redis, variables);
        await process.WaitForExitAsync(Limit());
        Assert.Equal((1, $"{program} can't start: {sentence}"), (process.ExitCode, process.Output.TrimEnd()));
    }

    [S3Fact]
    public async Task The_SDK_s_own_environment_variables_have_the_credentials_too()
    {
        await using var process = new ProgramProcess("Muse.Api", fixture.Redis,
        [
            .. store.Variables, ("ObjectStore__AccessKey", ""), ("ObjectStore__SecretKey", ""), ("AWS_ACCESS_KEY_ID", "S3RVER"),
            ("AWS_SECRET_ACCESS_KEY", "S3RVER"),
        ]);
        await EventuallyAsync(() => Task.FromResult(process.Output + (process.HasExited ? "exited" : "")),
            text => text.Contains("Application started", StringComparison.Ordinal) || process.HasExited);
        Assert.False(process.HasExited, process.Output);
    }

    [S3Theory]
    [InlineData("PUT")]
    [InlineData("GET")]
    [InlineData("DELETE")]
    public async Task A_missing_permission_is_told_in_a_sentence(string method)
    {
        await store.DenyAsync(method);
        Assert.Contains("have no permission for the bucket 'images'. Muse needs s3:PutObject, s3:GetObject, s3:DeleteObject",
            await api.Objects.FindUnsupportedAsync(), StringComparison.Ordinal);
        await store.DenyAsync(null);
        Assert.Null(await api.Objects.FindUnsupportedAsync());
        Assert.InRange(store.Count, 0, 1); // What could not be deleted goes with the next sweep.
    }

    [S3Fact]
    public async Task A_store_that_is_not_there_yet_is_no_error_at_start()
    {
        await store.KillAsync();
        Assert.Null(await api.Objects.FindUnsupportedAsync());
    }

    async Task<List<string>> KeysAsync()
    {
        var keys = new List<string>();
        await foreach (var page in api.Objects.ListAsync(Limit()))
            keys.AddRange(page.Select(each => each.Key));
        return keys;
    }

    static ImageJob Edit(int count = 1) => Job(count: count) with { Width = 64, Height = 64, Input = Input };

    static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
