using System.Collections.Concurrent;
using System.Diagnostics;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using Xunit.Abstractions;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>
/// Fault injection with an object store: real processes, a real Redis, a real S3 server, real HTTP clients, a simulated device.
/// </summary>
/// <remarks><c>MUSE_CHAOS=long</c> runs the long form; <c>MUSE_CHAOS_REPORT</c> names a file to which the report is added.</remarks>
public sealed class ObjectStoreChaosTests(ITestOutputHelper output)
{
    enum Fault { KillWorker, KillWorkersBeforePointers, KillStore, PauseStore, SlowStore, KillApi, KillRedis }

    static readonly bool Long = Environment.GetEnvironmentVariable("MUSE_CHAOS") == "long";
    static readonly TimeSpan StoreAway = TimeSpan.FromSeconds(3);
    // How long the store is away after its first kill.
    static readonly TimeSpan LongestAway = Long ? TimeSpan.FromMinutes(1) : StoreAway;
    // A busy machine needs some seconds to complete an image. Not forever: the workers may have no work.
    static readonly TimeSpan PointersAway = TimeSpan.FromSeconds(20);
    static readonly TimeSpan StoreDelay = TimeSpan.FromMilliseconds(400);
    const int Clients = 16, Workers = 3, Seed = 20261129;

    [S3Fact]
    public async Task With_an_object_store_under_any_fault_no_image_is_lost_or_doubled_and_no_object_is_left_over()
    {
        var (goal, faultsOfEachKind) = Long ? (5_000, 15) : (200, 2);
        var clock = Stopwatch.StartNew();
        await using var store = await S3Server.StartAsync();
        await using var fixture = await QueueFixture.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        fixture.Store = store;
        var reader = fixture.Start(("ObjectStore:OrphanAge", "00:00:01"));
        // A short limit, so that a paused store is noticed. No sweep before the audit, so that it sees what the faults leave behind.
        await using var processes = new MuseProcesses(fixture.Redis, Workers,
            [.. store.Variables, ("ObjectStore__Timeout", "00:00:02"), ("ObjectStore__SweepInterval", "1.00:00:00")]);
        var accepted = new ConcurrentQueue<ClientRequest>();
        using var client = new ChaosClient(processes.Address, TimeProvider.System, accepted.Enqueue);
        var done = false;
        var clients = Enumerable.Range(0, Clients).Select(async number =>
        {
            for (var n = 0; Images() < goal || !Volatile.Read(ref done); n++)
            {
                await client.RunAsync(new($"store-{number}-{n}", $"a red star above house {number}", number * 100_000 + n, 1 + n % 2,
                    waits: (number + n) % 3 == 0, edits: (number + n) % 3 == 1));
            }
        }).ToList();

        var random = new Random(Seed);
        var plan = Enum.GetValues<Fault>().SelectMany(fault => Enumerable.Repeat(fault, faultsOfEachKind)).ToArray();
        random.Shuffle(plan);
        var (killedBeforePointers, storeKills) = (0, 0);
        for (var i = 0; i < plan.Length; i++)
        {
            // Each fault waits for more accepted requests, so that it hits running work, and all are spread over the whole run.
            var wait = Math.Max(accepted.Count + 2, goal * i / plan.Length * 2 / 3);
            await EventuallyAsync(() =>
            {
                processes.AssertAllRun();
                return Task.FromResult(accepted.Count);
            }, count => count >= wait || clients.Any(each => each.IsFaulted), seconds: 600);
            await InjectAsync(plan[i], random.Next(Workers));
        }
        Volatile.Write(ref done, true);
        await Task.WhenAll(clients);

        // The audit, over every id that was accepted.
        Assert.Equal(accepted.Count, accepted.Select(request => request.JobId).Distinct().Count());
        var expected = await ExpectedImages.GenerateAsync([.. accepted.Select(request => request.Job)]);
        var pointers = new HashSet<string>();
        foreach (var request in accepted)
        {
            string[] hashes = [.. Enumerable.Range(0, request.Count).Select(index => expected[$"{request.JobId}/{index}"])];
            var finished = await reader.Jobs.WaitWithImagesAsync(request.JobId!, Limit());
            Assert.True(finished is { Job.State: JobState.Succeeded }, $"{request.JobId} ended as {finished?.Job.State}.");
            Assert.True(request.ImageHashes!.SequenceEqual(hashes), $"The client got other bytes for {request.JobId} than its seed gives.");
            Assert.True(finished!.Images.Select(image => ExpectedImages.Hash(image!.Bytes.Span)).SequenceEqual(hashes),
                $"{request.JobId} has other bytes than its seed gives.");
            for (var index = 0; index < request.Count; index++)
                Assert.True(pointers.Add(JobHash.Object(await InfoAsync(request.JobId!, index))!.Value.Key));
        }
        var measured = await EventuallyAsync(() => reader.Fleet.MeasureAsync(Limit()), m => m is { Waiting: 0, Pending: 0 });
        Assert.Equal((pointers.Count, pointers.Count), (measured.Arrivals, measured.Ended));
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(reader.Redis));
        Assert.Empty(await reader.Dead.ListAsync(10, Limit()));
        Assert.InRange(pointers.Count, goal, int.MaxValue);
        Assert.InRange(killedBeforePointers, 1, int.MaxValue);

        // Exactly the objects that Redis points to are left after the sweep.
        var before = await EventuallyAsync(ObjectsAsync, objects => objects.All(each => each.Age > TimeSpan.FromSeconds(2)));
        var inputs = before.Count(each => each.Key.Contains("/inputs/", StringComparison.Ordinal));
        var orphans = before.Count - inputs - pointers.Count;
        Assert.Equal(inputs + orphans, await reader.Sweep.RunAsync(Limit()));
        Assert.Equal(pointers.Order(), (await ObjectsAsync()).Select(each => each.Key).Order());
        await ReportAsync();

        int Images() => accepted.Sum(request => request.Count);

        async Task<StackExchange.Redis.RedisValue> InfoAsync(string jobId, int index) =>
            await reader.Redis.HashGetAsync(reader.Keys.Image(jobId, index), JobHash.ImageInfo);

        async Task<List<ListedObject>> ObjectsAsync()
        {
            var objects = new List<ListedObject>();
            await foreach (var page in reader.Objects.ListAsync(Limit()))
                objects.AddRange(page);
            return objects;
        }

        async Task InjectAsync(Fault fault, int worker)
        {
            switch (fault)
            {
                case Fault.KillWorker:
                    await processes.KillWorkerAsync(worker);
                    break;
                case Fault.KillWorkersBeforePointers:
                    await KillWorkersBeforePointersAsync();
                    break;
                case Fault.KillStore:
                    await store.KillAsync();
                    await Task.Delay(storeKills++ == 0 ? LongestAway : StoreAway);
                    await store.LaunchAsync();
                    break;
                case Fault.PauseStore:
                    store.Pause();
                    await Task.Delay(StoreAway);
                    store.Resume();
                    break;
                case Fault.SlowStore:
                    await store.DelayAsync(StoreDelay);
                    await Task.Delay(StoreAway);
                    await store.DelayAsync(TimeSpan.Zero);
                    break;
                case Fault.KillApi:
                    await processes.KillApiAsync();
                    break;
                case Fault.KillRedis:
                    await fixture.Redis.KillAsync();
                    await fixture.Redis.LaunchAsync();
                    break;
            }
        }

        // While Redis is paused, workers store objects and can't store the pointers. Then they are killed.
        async Task KillWorkersBeforePointersAsync()
        {
            var before = store.CountIn("scenes/images");
            fixture.Redis.Pause();
            try
            {
                var waiting = Stopwatch.StartNew();
                while (store.CountIn("scenes/images") <= before && waiting.Elapsed < PointersAway)
                    await Task.Delay(20);
                killedBeforePointers += Math.Max(0, store.CountIn("scenes/images") - before);
                for (var i = 0; i < Workers; i++)
                    await processes.KillWorkerAsync(i);
            }
            finally
            {
                fixture.Redis.Resume();
            }
        }

        async Task ReportAsync()
        {
            List<(string What, string Count)> rows =
            [
                ("requests / images / edits",
                    $"{accepted.Count:N0} / {pointers.Count:N0} / {accepted.Count(request => request.Edits):N0}"),
                ("faults, in seeded random order", $"{plan.Length}, {faultsOfEachKind} of each kind"),
                ("kinds: a worker killed; all workers killed between object and pointer; the API and Redis killed; the store killed, "
                    + $"paused, and slowed by {StoreDelay.TotalMilliseconds:0} ms a request, for {StoreAway.TotalSeconds:0} s "
                    + $"(once killed for {LongestAway.TotalSeconds:0} s)", ""),
                ("objects that were stored before a kill and had no pointer yet", $"{killedBeforePointers}"),
                ("responses of 503 / broken connections to the API, seen by clients",
                    $"{client.Unavailable:N0} / {client.LostConnections:N0}"),
                ("time", $"{clock.Elapsed.TotalSeconds:0} s"),
                ("accepted requests that did not end as succeeded", "0"),
                ("images with other bytes than the seed gives without faults, stored or received", "0"),
                ("images accepted / ended, by the atomic counters", $"{measured.Arrivals:N0} / {measured.Ended:N0}"),
                ("objects before the sweep / of these inputs of ended jobs / images that Redis does not point to",
                    $"{before.Count:N0} / {inputs:N0} / {orphans:N0}"),
                ("objects after the sweep / images that Redis points to", $"{pointers.Count:N0} / {pointers.Count:N0}"),
            ];
            var table = string.Concat(rows.Select(row => $"| {row.What} | {row.Count} |\n"));
            var report = $"Object store, {Workers} workers, {Clients} clients, seed {Seed}:\n\n| | |\n| --- | --- |\n{table}\n";
            output.WriteLine(report);
            if (Environment.GetEnvironmentVariable("MUSE_CHAOS_REPORT") is { Length: > 0 } file)
                await File.AppendAllTextAsync(file, report);
        }
    }
}
