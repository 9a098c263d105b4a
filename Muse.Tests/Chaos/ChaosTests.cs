using System.Collections.Concurrent;
using System.Diagnostics;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using Xunit.Abstractions;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>
/// Fault injection at random times, with an audit at the end: real processes, a real Redis, real HTTP clients, a simulated device.
/// </summary>
/// <remarks><c>MUSE_CHAOS=long</c> runs the long form; <c>MUSE_CHAOS_REPORT</c> names a file to which the reports are added.</remarks>
public sealed class ChaosTests(ITestOutputHelper output)
{
    enum Fault { KillWorker, PauseWorker, TerminateWorker, KillRedis, CutConnections, KillApi, PauseRedis }

    /// <summary>The extent of a run.</summary>
    /// <param name="Requests">Requests at least.</param>
    /// <param name="FaultsOfEachKind">Faults of each kind, except pauses of Redis.</param>
    /// <param name="RedisPauses">Pauses of Redis.</param>
    /// <param name="RedisPause">The length of each pause. It is longer than the 3 s after which a command times out.</param>
    sealed record Extent(int Requests, int FaultsOfEachKind, int RedisPauses, TimeSpan RedisPause);

    static readonly bool Long = Environment.GetEnvironmentVariable("MUSE_CHAOS") == "long";
    const int Clients = 24, Workers = 3, Seed = 20261124;

    [RedisFact]
    public Task Under_any_fault_every_accepted_request_is_completed_exactly_once() =>
        RunAsync("always", Long ? new(10_000, 20, 3, TimeSpan.FromSeconds(20)) : new(150, 4, 1, TimeSpan.FromSeconds(5)));

    [RedisFact]
    public Task With_a_sync_every_second_a_crash_of_Redis_loses_only_jobs_of_the_last_seconds() =>
        RunAsync("everysec", Long ? new(2_000, 12, 1, TimeSpan.FromSeconds(20)) : new(80, 3, 0, default));

    async Task RunAsync(string sync, Extent extent)
    {
        var clock = Stopwatch.StartNew();
        // A rewrite would shorten the file that RedisCrashes truncates.
        var rewritePercentage = sync == "always" ? "100" : "0";
        await using var fixture = await QueueFixture.StartAsync(
            "--appendonly", "yes", "--appendfsync", sync, "--auto-aof-rewrite-percentage", rewritePercentage);
        var redis = fixture.Redis;
        var reader = fixture.Start();
        await using var processes = new MuseProcesses(redis, Workers);
        await using var crashes = sync == "everysec" ? new RedisCrashes(redis, reader) : null;
        var accepted = new ConcurrentQueue<ClientRequest>();
        using var client = new ChaosClient(processes.Address, TimeProvider.System, accepted.Enqueue);
        var done = false;
        var clients = Enumerable.Range(0, Clients).Select(async number =>
        {
            for (var n = 0; accepted.Count < extent.Requests || !Volatile.Read(ref done); n++)
            {
                await client.RunAsync(new($"chaos-{number}-{n}", $"a red star above house {number}", number * 100_000 + n, 1 + n % 2,
                    waits: (number + n) % 3 == 0, edits: (number + n) % 3 == 1));
            }
        }).ToList();

        var random = new Random(Seed);
        Fault[] plan =
        [
            .. Enum.GetValues<Fault>().Where(fault => fault != Fault.PauseRedis)
                .SelectMany(fault => Enumerable.Repeat(fault, extent.FaultsOfEachKind)),
            .. Enumerable.Repeat(Fault.PauseRedis, extent.RedisPauses),
        ];
        random.Shuffle(plan);
        var faults = Enum.GetValues<Fault>().ToDictionary(fault => fault, _ => 0);
        foreach (var fault in plan)
        {
            // Each fault waits for more accepted requests, so that it hits running work, and all are spread over the whole run.
            var wait = Math.Max(accepted.Count + 2, extent.Requests * faults.Values.Sum() / plan.Length);
            await EventuallyAsync(() =>
            {
                processes.AssertAllRun();
                return Task.FromResult(accepted.Count);
            }, count => count >= wait || clients.Any(client => client.IsFaulted));
            await InjectAsync(fault, random.Next(Workers));
            faults[fault]++;
        }
        await processes.WaitUntilResumedAsync();
        Volatile.Write(ref done, true);
        await Task.WhenAll(clients);

        // The audit, over every id that was accepted.
        Assert.Equal(accepted.Count, accepted.Select(request => request.JobId).Distinct().Count());
        var expected = await ExpectedImages.GenerateAsync([.. accepted.Select(request => request.Job)]);
        int lost = 0, images = 0;
        foreach (var request in accepted)
        {
            var finished = await reader.Jobs.WaitWithImagesAsync(request.JobId!, Limit());
            string[] hashes = [.. Enumerable.Range(0, request.Count).Select(index => expected[$"{request.JobId}/{index}"])];
            if (request.ImageHashes is not null)
            {
                Assert.True(request.ImageHashes.SequenceEqual(hashes),
                    $"The client got other bytes for {request.JobId} than its seed gives.");
            }
            if (finished is null && crashes?.MayHaveLost(request) == true)
            {
                lost++;
                continue;
            }
            Assert.True(finished is not null, $"{request.JobId} is lost.");
            Assert.True(finished.Job.State == JobState.Succeeded,
                $"{request.JobId} ended as {finished.Job.State}: {finished.Job.Images[0].Error}");
            Assert.True(request.ImageHashes is not null, $"The client of {request.JobId} did not get its images.");
            Assert.True(finished.Images.Select(image => ExpectedImages.Hash(image!.Bytes.Span)).SequenceEqual(hashes),
                $"{request.JobId} has other bytes than its seed gives.");
            // Bytes and info of each image, and no more.
            for (var index = 0; index < request.Count; index++)
                Assert.Equal(2, await reader.Redis.HashLengthAsync(reader.Keys.Image(request.JobId!, index)));
            images += request.Count;
        }
        var measured = await EventuallyAsync(() => reader.Fleet.MeasureAsync(Limit()), m => m is { Waiting: 0, Pending: 0 });
        Assert.Equal((images, images), (measured.Arrivals, measured.Ended)); // Each was counted once at its start and at its end.
        foreach (var lane in Enum.GetValues<JobPriority>())
            Assert.Equal(0, await reader.Redis.StreamLengthAsync(reader.Keys.Stream(lane)));
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(reader.Redis));
        Assert.Empty(await reader.Dead.ListAsync(10, Limit()));
        Assert.InRange(accepted.Count, extent.Requests, int.MaxValue);
        await ReportAsync();

        async Task InjectAsync(Fault fault, int worker)
        {
            switch (fault)
            {
                case Fault.KillWorker:
                    await processes.KillWorkerAsync(worker);
                    break;
                case Fault.PauseWorker:
                    processes.PauseWorker(worker);
                    break;
                case Fault.TerminateWorker:
                    await processes.TerminateWorkerAsync(worker);
                    break;
                case Fault.KillRedis when crashes is not null:
                    await crashes.CrashAsync(powerLost: faults[fault] % 2 == 1, () => accepted);
                    break;
                case Fault.KillRedis:
                    await redis.KillAsync();
                    await redis.LaunchAsync();
                    break;
                case Fault.CutConnections:
                    await CutConnectionsAsync(redis);
                    break;
                case Fault.KillApi:
                    await processes.KillApiAsync();
                    break;
                case Fault.PauseRedis:
                    await PauseRedisAsync(faults[fault]);
                    break;
            }
        }

        async Task PauseRedisAsync(int number)
        {
            await processes.WaitUntilHealthyAsync();
            redis.Pause();
            try
            {
                using var pausedClient = new ChaosClient(processes.Address, TimeProvider.System, accepted.Enqueue);
                var request = new ClientRequest($"chaos-paused-{number}", "a red star above a quiet house", number, 1, waits: false);
                var pause = Task.Delay(extent.RedisPause);
                await pausedClient.AssertUnavailableAsync(request);
                await pause;
                redis.Resume();
                await pausedClient.RunAsync(request); // The retry is accepted once.
            }
            finally
            {
                redis.Resume();
            }
        }

        async Task ReportAsync()
        {
            var rows = new List<(string What, string Count)>
            {
                ("requests / images", $"{accepted.Count:N0} / {accepted.Sum(request => request.Count):N0}"),
                ("of these on an open connection / by polling the job",
                    $"{accepted.Count(request => request.Waits):N0} / {accepted.Count(request => !request.Waits):N0}"),
                ("faults, in seeded random order", $"{plan.Length}"),
            };
            rows.AddRange(plan.Distinct().Order().Select(fault => (Describe(fault, extent), $"{faults[fault]}")));
            rows.Add(("responses of 503 / broken connections to the API, seen by clients",
                $"{client.Unavailable:N0} / {client.LostConnections:N0}"));
            rows.Add(("time", $"{clock.Elapsed.TotalSeconds:0} s"));
            if (crashes is not null)
            {
                rows.Add(("every second crash of Redis as a loss of power: bytes of its last second that were truncated",
                    $"{crashes.TruncatedBytes:N0}"));
                rows.Add(("accepted jobs that were lost", $"{lost}"));
                rows.Add(("the longest time between a lost job's acceptance and the crash", $"{crashes.LongestAge.TotalSeconds:0.00} s"));
            }
            rows.Add((crashes is null
                ? "accepted requests that did not end as succeeded" : "other accepted requests that did not end as succeeded", "0"));
            rows.Add(("images with other bytes than the seed gives without faults, stored or received", "0"));
            rows.Add(("images accepted / ended, by the atomic counters", $"{measured.Arrivals:N0} / {measured.Ended:N0}"));
            rows.Add(("entries left in the streams / pending / dead letters / unexpected keys without expiry", "0 / 0 / 0 / 0"));
            var table = string.Concat(rows.Select(row => $"| {row.What} | {row.Count} |\n"));
            var title = $"`appendfsync {sync}`, {Workers} workers, {Clients} clients, seed {Seed}";
            var report = $"{title}:\n\n| | |\n| --- | --- |\n{table}\n";
            output.WriteLine(report);
            if (Environment.GetEnvironmentVariable("MUSE_CHAOS_REPORT") is { Length: > 0 } file)
                await File.AppendAllTextAsync(file, report);
        }
    }

    static string Describe(Fault fault, Extent extent) => fault switch
    {
        Fault.KillWorker => "workers killed with SIGKILL",
        Fault.PauseWorker => "workers paused with SIGSTOP for 3 s (their lease is 2 s) and resumed",
        Fault.TerminateWorker => "workers terminated with SIGTERM in the middle of a batch",
        Fault.KillRedis => "Redis killed with SIGKILL and restarted",
        Fault.CutConnections => "all connections to Redis cut (`CLIENT KILL`)",
        Fault.KillApi => "the API killed with SIGKILL and restarted",
        Fault.PauseRedis =>
            $"Redis paused with SIGSTOP for {extent.RedisPause.TotalSeconds:0} s, during which the API answers 503 with `Retry-After`",
        _ => throw new UnreachableException(),
    };

    static async Task CutConnectionsAsync(RedisServer redis)
    {
        await using var connection =
            await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{redis.Port},allowAdmin=true,abortConnect=false");
        foreach (var kind in new[] { "normal", "pubsub" })
            await connection.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes");
    }
}
