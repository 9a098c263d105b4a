using System.Net.Http.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Muse.Autoscaler;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>The queue over a real Redis Cluster of three masters.</summary>
public sealed class ClusterTests : IAsyncLifetime
{
    QueueFixture fixture = null!;
    QueueFixture.Program api = null!, first = null!, second = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable)
            return;
        fixture = await QueueFixture.StartOnClusterAsync();
        api = fixture.Start(("Lease", "00:00:01"));
        first = fixture.Start(("Lease", "00:00:01"), ("MaxDeliveries", "1"));
        second = fixture.Start(("Lease", "00:00:01"), ("MaxDeliveries", "1"));
    }

    public async Task DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    [RedisFact]
    public async Task Everything_a_job_can_live_through_works_and_all_its_keys_lie_on_one_master()
    {
        var asked = new IdempotencyToken("key", "body", TimeSpan.FromMinutes(1));
        var completed = Job(count: 2) with { Webhook = new Uri("https://hooks.example/x") };
        Assert.IsType<SubmitOutcome.Accepted>(await api.Jobs.SubmitAsync(completed, asked, Limit()));
        Assert.Equal(completed.Id, Assert.IsType<SubmitOutcome.Duplicate>(await api.Jobs.SubmitAsync(Job(), asked, Limit())).JobId);
        var batch = Job(priority: JobPriority.Batch);
        await api.Jobs.SubmitAsync(batch, null, Limit());
        Assert.Equal(2, (await api.Jobs.PositionAsync(batch.Id, Limit()))!.Value.Ahead);

        // Waits by the channel, whichever master it and the worker's connection are on.
        var waiting = api.Jobs.WaitWithImagesAsync(completed.Id, Limit());
        var items = await first.Work.TakeAsync(2);
        Assert.True(await first.Work.ReportAsync(items[0], 5, 20, new StoredImage("half"u8.ToArray(), OutputFormat.Jpeg, 16, 8)));
        Assert.True(await first.Work.SaveCheckpointAsync(items[0], 5, "step 5"u8.ToArray()));
        Assert.Empty(await first.Work.RenewAsync(items, Limit()));
        await first.Work.HandBackAsync([(items[0], 6, "step 6"u8.ToArray())], Limit());
        var again = (await second.Work.TakeAsync(1)).Single();
        Assert.Equal((items[0].Id, "step 6"), (again.Id, System.Text.Encoding.UTF8.GetString(again.Checkpoint.Span)));
        Assert.True(await second.Work.CompleteAsync(again, Finished("one"), Limit()));
        var large = new string('x', 40_000);
        Assert.True(await first.Work.CompleteAsync(items[1], Finished(large), Limit()));
        var finished = (await waiting)!;
        Assert.Equal((JobState.Succeeded, "one", large), (finished.Job.State, finished.Images[0]!.Text(), finished.Images[1]!.Text()));

        // Cancelled while it waits, and called out while it runs.
        await api.Jobs.CancelAsync(batch.Id, Limit());
        var running = Job();
        await api.Jobs.SubmitAsync(running, null, Limit());
        await first.Work.WaitForWorkAsync(Limit()); // Listens from now on.
        Assert.Equal(running.Id, (await first.Work.TakeAsync(1))[0].Job.Id);
        await api.Jobs.CancelAsync(running.Id, Limit());
        await EventuallyAsync(async () => await first.Work.Cancellations.ReadAsync(Limit()), id => id == running.Id);

        // Crashes its worker, becomes a dead letter, is requeued and completed.
        var poison = Job();
        await api.Jobs.SubmitAsync(poison, null, Limit());
        await first.Work.TakeAsync(1);
        await EventuallyAsync(async () =>
        {
            Assert.Empty(await second.Work.ReadAsync(1, Limit()));
            return (await api.Jobs.FindAsync(poison.Id, Limit()))!.State;
        }, state => state == JobState.Failed);
        Assert.True(await api.Dead.RequeueAsync(Assert.Single(await api.Dead.ListAsync(10, Limit())).Id, Limit()));
        await second.Work.CompleteAsync((await second.Work.TakeAsync(1))[0], Finished(), Limit());
        Assert.Equal(JobState.Succeeded, (await api.Jobs.WaitAsync(poison.Id, Limit()))!.State);

        Assert.Equal(4, (await api.Jobs.ListAsync("ada", null, 10, Limit())).Jobs.Count);
        var measured = await api.Fleet.MeasureAsync(Limit());
        Assert.Equal((0, 0, 6, 6), (measured.Waiting, measured.Pending, measured.Arrivals,
            measured.Ended)); // The requeued one came and ended twice.
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
        Assert.Single(await MastersOfKeysAsync("{scenes}"));
    }

    [RedisFact]
    public async Task Heartbeats_drains_and_decisions_reach_whom_they_should_and_the_autoscaler_reads_them()
    {
        await api.Jobs.SubmitAsync(Job(count: 3), null, Limit());
        await first.Work.TakeAsync(1);
        await first.Fleet.SendHeartbeatAsync(FleetTests.Beat("w1", 1.5), Limit());
        await second.Fleet.SendHeartbeatAsync(FleetTests.Beat("w2"), Limit());
        await second.Fleet.AnnounceModelAsync(new ModelCard
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
            Samplers = ["euler"],
        }, Limit());
        Assert.Equal("scenes", (await api.Fleet.FindModelCardAsync(Limit()))!.Name);

        var gauge =
            new FleetGauge(new RedisFleet(api.Fleet, api.Dead), Options.Create(new AutoscalerOptions()),
                new MonotonicClock(TimeProvider.System), NullLogger<FleetGauge>.Instance);
        var seen = await gauge.MeasureAsync(1, Limit());
        Assert.Equal((2, 1, 2), (seen.Queue.Waiting, seen.Queue.Pending, seen.Workers.Count));
        Assert.Equal(1.5, seen.WorkerRate);

        await second.Fleet.WaitForChangeAsync(TimeSpan.FromMilliseconds(1), Limit()); // Listens from now on.
        var change = second.Fleet.WaitForChangeAsync(TimeSpan.FromHours(1), Limit());
        var lease = await api.Fleet.LeadAsync("first", TimeSpan.FromHours(1), Limit());
        Assert.Null(await second.Fleet.LeadAsync("second", TimeSpan.FromHours(1), Limit()));
        var decision = new ScalingDecision(2, "because", seen.Queue.At, "test", seen.Queue);
        Assert.True(await api.Fleet.StoreDecisionAsync(decision, lease!, Limit()));
        await change;
        Assert.Equal("because", (await second.Fleet.LatestDecisionAsync(Limit()))!.Reason);

        await api.Fleet.RequestDrainAsync("w1", Limit());
        Assert.True(await first.Fleet.IsDrainRequestedAsync("w1", Limit()));
        await first.Fleet.LeaveAsync("w1", Limit());
        Assert.Equal("w2", Assert.Single(await api.Fleet.WorkersAsync(Limit())).Worker);
        Assert.NotEmpty(await api.Fleet.StartedImagesAsync(null, Limit()));
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
    }

    [RedisFact]
    public async Task Models_lie_on_different_masters_and_each_is_served()
    {
        string[] models = ["scenes", "landscapes", "maps"];
        foreach (var model in models)
        {
            var (front, back) = (fixture.Start(("Model", model)), fixture.Start(("Model", model)));
            var job = Job($"of-{model}");
            await front.Jobs.SubmitAsync(job, null, Limit());
            var waiting = front.Jobs.WaitWithImagesAsync(job.Id, Limit());
            await back.Work.CompleteAsync((await back.Work.TakeAsync(1)).Single(), Finished(model), Limit());
            Assert.Equal(model, (await waiting)!.Images[0]!.Text());
        }
        var masters = new HashSet<int>();
        foreach (var model in models)
            masters.Add(Assert.Single(await MastersOfKeysAsync($"{{{model}}}")));
        Assert.Equal(3, masters.Count);
    }

    [RedisFact]
    public async Task The_real_programs_generate_over_it_and_outlive_a_master_that_was_killed()
    {
        var (redis, port) = (fixture.Cluster.ConnectionString, RedisServer.FreePort());
        var (workerHealth, autoscalerHealth) = (FreeAddress(), FreeAddress());
        var noGrace = ("Queue__ReadinessGrace", "00:00:00");
        await using var server = new ProgramProcess("Muse.Api",
            ("ConnectionStrings__redis", redis), ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"), ("MUSE_RATE_LIMITS", "false"), noGrace);
        await using var worker = new ProgramProcess("Muse.GpuWorker",
            ("ConnectionStrings__redis", redis), ("ASPNETCORE_URLS", workerHealth), noGrace,
            ("MUSE_GPU_TYPE", "simulated:base=10ms,picture=1ms"));
        await using var autoscaler = new ProgramProcess("Muse.Autoscaler",
            ("ConnectionStrings__redis", redis), ("ASPNETCORE_URLS", autoscalerHealth), noGrace,
            ("MUSE_AUTOSCALE_INTERVAL", "1"));
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        await AllAreAsync("OK");
        Assert.Equal("OK", await AnswerAsync(() => client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox", n = 2 })));
        await EventuallyAsync(() => api.Fleet.LatestDecisionAsync(Limit()), decision => decision is not null);

        var master = fixture.Cluster.Masters.Single(node => node.Port == MastersOfKeysAsync("{scenes}").GetAwaiter().GetResult().Single());
        await master.KillAsync();
        Assert.Equal("ServiceUnavailable",
            await AnswerAsync(() => client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" }), "ServiceUnavailable"));
        await AllAreAsync("ServiceUnavailable");
        await master.LaunchAsync();
        Assert.Equal("OK", await AnswerAsync(() => client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" })));
        await AllAreAsync("OK");
        Assert.DoesNotContain("Unhandled exception", server.Output + worker.Output + autoscaler.Output, StringComparison.Ordinal);

        static string FreeAddress() => $"http://127.0.0.1:{RedisServer.FreePort()}";

        async Task AllAreAsync(string health)
        {
            foreach (var address in (string[])[$"http://127.0.0.1:{port}", workerHealth, autoscalerHealth])
                Assert.Equal(health, await AnswerAsync(() => client.GetAsync($"{address}/health"), health));
        }
    }

    /// <summary>Repeats a request until it has the wanted status.</summary>
    static async Task<string> AnswerAsync(Func<Task<HttpResponseMessage>> ask, string wanted = "OK")
    {
        return await EventuallyAsync(async () =>
        {
            try
            {
                using var response = await ask();
                return response.StatusCode.ToString();
            }
            catch (HttpRequestException exception)
            {
                return exception.Message; // The program is starting.
            }
        }, answer => answer == wanted);
    }

    /// <summary>The ports of the masters that hold keys with this in their name.</summary>
    async Task<List<int>> MastersOfKeysAsync(string part)
    {
        var found = new List<int>();
        foreach (var node in fixture.Cluster.Masters)
        {
            var server = api.Redis.Multiplexer.GetServers()
                .Single(server => server.EndPoint.ToString()!.EndsWith($":{node.Port}", StringComparison.Ordinal));
            await foreach (var _ in server.KeysAsync(pattern: $"*{part}*"))
            {
                found.Add(node.Port);
                break;
            }
        }
        return found;
    }
}
