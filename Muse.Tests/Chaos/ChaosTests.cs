using System.Collections.Concurrent;
using System.Diagnostics;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using Xunit.Abstractions;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>
/// Breaks everything at random times and counts afterwards: real processes, a real Redis, real HTTP clients, a simulated device.
/// </summary>
/// <remarks><c>MUSE_CHAOS=long</c> runs the long form; <c>MUSE_CHAOS_REPORT</c> names a file to which the reports are added.</remarks>
public sealed class ChaosTests(ITestOutputHelper output)
{
    /// <summary>How much of everything.</summary>
    /// <param name="Requests">Requests at least.</param>
    /// <param name="Each">Blows of each kind but the pauses of Redis.</param>
    /// <param name="RedisPauses">Pauses of Redis.</param>
    /// <param name="RedisPause">How long each is; longer than the 3 s after which a command is given up.</param>
    sealed record Extent(int Requests, int Each, int RedisPauses, TimeSpan RedisPause);

    static readonly bool Long = Environment.GetEnvironmentVariable("MUSE_CHAOS") == "long";
    const int Clients = 24, Workers = 3, Seed = 20261124;

    [RedisFact]
    public Task Whatever_crashes_every_accepted_request_is_painted_exactly_once() =>
        RunAsync("always", Long ? new(10_000, 20, 3, TimeSpan.FromSeconds(20)) : new(300, 10, 1, TimeSpan.FromSeconds(5)));

    [RedisFact]
    public Task With_a_file_synced_every_second_a_crash_of_Redis_takes_the_last_second_and_breaks_nothing_else() =>
        RunAsync("everysec", Long ? new(2_000, 12, 1, TimeSpan.FromSeconds(20)) : new(150, 10, 0, default));

    async Task RunAsync(string sync, Extent extent)
    {
        var clock = Stopwatch.StartNew();
        await using var fixture =
            await QueueFixture.StartAsync("--appendonly", "yes", "--appendfsync", sync, "--auto-aof-rewrite-percentage", sync == "always"
            ? "100" : "0");
        var redis = fixture.Redis;
        var reader = fixture.Start();
        await using var crew = new Crew(redis, Workers);
        await using var crashes = sync == "everysec" ? new LastSecond(redis, reader) : null;
        var accepted = new ConcurrentQueue<Wish>();
        using var client = new ChaosClient(crew.Address, TimeProvider.System, accepted.Enqueue);
        var done = false;
        var clients = Enumerable.Range(0, Clients).Select(async number =>
        {
            for (var n = 0; accepted.Count < extent.Requests || !Volatile.Read(ref done); n++)
            {
                await client.PaintAsync(new($"chaos-{number}-{n}", $"a red star above house {number}", number * 100_000 + n, 1 + n % 2,
                    waits: (number + n) % 3 == 0));
            }
        }).ToList();

        var random = new Random(Seed);
        string[] kinds =
            ["workers killed with -9", "workers paused with SIGSTOP for 3 s, past their lease of 2 s, and resumed",
            "workers terminated with SIGTERM in mid-batch",
            "Redis killed with -9 and restarted", "all connections to Redis cut (`CLIENT KILL`)", "the API killed with -9 and restarted"];
        int[] plan =
            [.. Enumerable.Range(0, kinds.Length).SelectMany(kind => Enumerable.Repeat(kind, extent.Each)),
            .. Enumerable.Repeat(kinds.Length, extent.RedisPauses)];
        random.Shuffle(plan);
        var blows = new int[kinds.Length + 1];
        foreach (var kind in plan)
        {
            // Not by the clock: after some more work was done, so that each hits work. Spread over all of it.
            var wait = Math.Max(accepted.Count + 2, extent.Requests * blows.Sum() / plan.Length);
            await EventuallyAsync(() => Task.FromResult(accepted.Count), count => count >= wait || clients.Any(client => client.IsFaulted));
            var victim = random.Next(Workers);
            switch (kind)
            {
                case 0:
                    await crew.KillWorkerAsync(victim);
                    break;
                case 1:
                    crew.PauseWorker(victim);
                    break;
                case 2:
                    await crew.TerminateWorkerAsync(victim);
                    break;
                case 3 when crashes is not null:
                    await crashes.CrashAsync(powerLost: blows[3] % 2 == 1, () => accepted);
                    break;
                case 3:
                    await redis.KillAsync();
                    await redis.LaunchAsync();
                    break;
                case 4:
                    await CutConnectionsAsync(redis);
                    break;
                case 5:
                    await crew.KillServerAsync();
                    break;
                case 6:
                    await PauseRedisAsync(blows[6]);
                    break;
            }
            blows[kind]++;
        }
        await crew.AllResumedAsync();
        Volatile.Write(ref done, true);
        await Task.WhenAll(clients);

        // The audit, over every id that was accepted.
        Assert.Equal(accepted.Count, accepted.Select(wish => wish.JobId).Distinct().Count());
        var expected = await WorkerFleet.PaintAsync([.. accepted.Select(wish => wish.Job)]);
        int gone = 0, pictures = 0;
        foreach (var wish in accepted)
        {
            var finished = await reader.Jobs.WaitWithPicturesAsync(wish.JobId!, Limit());
            string[] right = [.. Enumerable.Range(0, wish.Count).Select(index => expected[$"{wish.JobId}/{index}"])];
            if (wish.Pictures is not null)
                Assert.True(wish.Pictures.SequenceEqual(right), $"The client got other bytes for {wish.JobId} than its seed gives.");
            if (finished is null && crashes?.Explains(wish) == true)
            {
                gone++;
                continue;
            }
            Assert.True(finished is not null, $"{wish.JobId} is lost.");
            Assert.True(finished.Job.State == JobState.Succeeded,
                $"{wish.JobId} ended as {finished.Job.State}: {finished.Job.Pictures[0].Error}");
            Assert.True(wish.Pictures is not null, $"The client of {wish.JobId} did not get its pictures.");
            Assert.True(finished.Pictures.Select(picture => WorkerFleet.Hash(picture!.Bytes.Span)).SequenceEqual(right),
                $"{wish.JobId} has other bytes than its seed gives.");
            // Bytes and info of each picture, and no more.
            Assert.Equal(2 * wish.Count, await reader.Redis.HashLengthAsync(reader.Keys.Pictures(wish.JobId!)));
            pictures += wish.Count;
        }
        var measured = await EventuallyAsync(() => reader.Fleet.MeasureAsync(Limit()), m => m is { Waiting: 0, Pending: 0 });
        Assert.Equal((pictures, pictures), (measured.Arrivals, measured.Completed)); // Each came once and ended once.
        foreach (var lane in Enum.GetValues<JobPriority>())
            Assert.Equal(0, await reader.Redis.StreamLengthAsync(reader.Keys.Stream(lane)));
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(reader.Redis));
        Assert.Empty(await reader.Dead.ListAsync(10, Limit()));
        Assert.InRange(accepted.Count, extent.Requests, int.MaxValue);
        await ReportAsync();

        async Task PauseRedisAsync(int number)
        {
            await crew.ServerIsWellAsync();
            redis.Pause();
            try
            {
                using var asking = new ChaosClient(crew.Address, TimeProvider.System, accepted.Enqueue);
                var wish = new Wish($"chaos-paused-{number}", "a red star above a quiet house", number, 1, waits: false);
                var pause = Task.Delay(extent.RedisPause);
                await asking.DemandRefusalAsync(wish);
                await pause;
                redis.Resume();
                await asking.PaintAsync(wish); // It comes back, and is let in once.
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
                ("requests / pictures", $"{accepted.Count:N0} / {accepted.Sum(wish => wish.Count):N0}"),
                ("of these on an open connection / by coming back for the job",
                    $"{accepted.Count(wish => wish.Waits):N0} / {accepted.Count(wish => !wish.Waits):N0}"),
                ("blows, in seeded random order", $"{plan.Length}"),
            };
            rows.AddRange(kinds.Select((kind, i) => (kind, $"{blows[i]}")));
            if (extent.RedisPauses > 0)
            {
                rows.Add((
                    $"Redis paused with SIGSTOP for {extent.RedisPause.TotalSeconds:0} s, and the API found to answer 503 with `Retry-After`",
                    $"{blows[^1]}"));
            }

            rows.Add(("answers of 503 / connections to the API that broke, seen by clients",
                $"{client.Refusals:N0} / {client.LostConnections:N0}"));
            rows.Add(("time", $"{clock.Elapsed.TotalSeconds:0} s"));
            if (crashes is not null)
            {
                rows.Add(("every second crash of Redis as a loss of power: bytes of its last second that were cut off the file",
                    $"{crashes.BytesCut:N0}"));
                rows.Add(("accepted jobs that vanished", $"{gone}"));
                rows.Add(("the longest time between a vanished job's acceptance and the crash that took it",
                    $"{crashes.Longest.TotalSeconds:0.00} s"));
            }
            rows.Add((crashes is null
                ? "accepted requests that did not end as succeeded" : "other accepted requests that did not end as succeeded", "0"));
            rows.Add(("pictures with other bytes than an undisturbed worker paints for the same seed, stored or received", "0"));
            rows.Add(("arrivals / endings by the atomic counters", $"{measured.Arrivals:N0} / {measured.Completed:N0}"));
            rows.Add(("entries left in the streams / pending / dead letters / keys without expiry beside the named ones", "0 / 0 / 0 / 0"));
            var table = string.Concat(rows.Select(row => $"| {row.What} | {row.Count} |\n"));
            var title = $"`appendfsync {sync}`, {Workers} workers, {Clients} clients, seed {Seed}";
            var report = $"{title}:\n\n| | |\n| --- | --- |\n{table}\n";
            output.WriteLine(report);
            if (Environment.GetEnvironmentVariable("MUSE_CHAOS_REPORT") is { Length: > 0 } file)
                await File.AppendAllTextAsync(file, report);
        }
    }

    static async Task CutConnectionsAsync(RedisServer redis)
    {
        await using var connection =
            await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{redis.Port},allowAdmin=true,abortConnect=false");
        foreach (var kind in new[] { "normal", "pubsub" })
            await connection.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes");
    }
}
