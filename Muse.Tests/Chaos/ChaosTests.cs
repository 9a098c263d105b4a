using System.Collections.Concurrent;
using System.Diagnostics;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using Xunit.Abstractions;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>Breaks everything at random times and counts afterwards. Real processes, a real Redis, a simulated device.</summary>
/// <remarks><c>MUSE_CHAOS=long</c> runs the long form; <c>MUSE_CHAOS_REPORT</c> names a file for its report.</remarks>
public sealed class ChaosTests(ITestOutputHelper output)
{
    static readonly bool Long = Environment.GetEnvironmentVariable("MUSE_CHAOS") == "long";
    static int Requests => Long ? 10_000 : 300;
    static int EachKind => Long ? 100 : 10;
    const int Clients = 24;
    const int Workers = 3;
    const int Seed = 20261124;

    [RedisFact]
    public async Task Whatever_crashes_every_accepted_request_is_painted_exactly_once()
    {
        var clock = Stopwatch.StartNew();
        await using var fixture = await QueueFixture.StartAsync("--appendonly", "yes", "--appendfsync", "always");
        var api = fixture.Start(("MaxWait", "1.00:00:00"));
        await using var workers = new Crew(fixture, Workers);
        using var stop = new CancellationTokenSource();
        var accepted = new ConcurrentBag<ImageJob>();
        var retries = 0;
        var clients = Enumerable.Range(0, Clients).Select(ClientAsync).ToList();

        var random = new Random(Seed);
        string[] kinds = ["kill", "pause", "terminate", "redis", "cut", "front"];
        string[] plan = [.. kinds.SelectMany(kind => Enumerable.Repeat(kind, EachKind))];
        random.Shuffle(plan);
        var resuming = new List<Task>();
        foreach (var action in plan)
        {
            // Not by the clock: after some more work was done, so that each hits work.
            var before = accepted.Count;
            await EventuallyAsync(() => Task.FromResult(accepted.Count), count => count >= before + 2 || clients.All(client => client.IsCompleted), seconds: 120);
            var victim = random.Next(Workers);
            switch (action)
            {
                case "kill":
                    workers[victim].Kill();
                    await workers.ReplaceAsync(victim);
                    break;
                case "terminate":
                    workers[victim].Terminate();
                    await workers.ReplaceAsync(victim);
                    break;
                case "pause":
                    var paused = workers[victim];
                    paused.Pause();
                    resuming.Add(Task.Run(async () =>
                    {
                        await Task.Delay(TimeSpan.FromSeconds(3)); // Past its lease of 2 s.
                        paused.Resume();
                    }));
                    break;
                case "redis":
                    await fixture.Redis.KillAsync();
                    await fixture.Redis.LaunchAsync();
                    break;
                case "cut":
                    await CutConnectionsAsync(fixture.Redis);
                    break;
                case "front":
                    api = fixture.Start(("MaxWait", "1.00:00:00")); // Those who wait come back to another one.
                    break;
            }
        }
        await Task.WhenAll(resuming);
        await stop.CancelAsync();
        await Task.WhenAll(clients);

        var expected = await WorkerFleet.PaintAsync(accepted);
        foreach (var job in accepted)
        {
            var finished = await api.Jobs.WaitWithPicturesAsync(job.Id, Limit(120));
            Assert.True(finished is not null, $"{job.Id} is lost.");
            Assert.True(finished.Job.State == JobState.Succeeded, $"{job.Id} ended as {finished.Job.State}: {finished.Job.Pictures[0].Error}");
            for (var index = 0; index < job.Count; index++)
                Assert.True(finished.Pictures[index]!.Bytes.Span.SequenceEqual(expected[$"{job.Id}/{index}"]), $"{job.Id}/{index} has other bytes than its seed gives.");
        }
        var measured = await EventuallyAsync(() => api.Fleet.MeasureAsync(Limit()), m => m is { Waiting: 0, Pending: 0 });
        var pictures = accepted.Sum(job => job.Count);
        Assert.Equal((pictures, pictures), (measured.Arrivals, measured.Completed)); // Each ended once.
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(api.Redis));
        Assert.Empty(await api.Dead.ListAsync(10, Limit()));
        Assert.InRange(accepted.Count, Requests, int.MaxValue);
        var report = $"{accepted.Count} requests, {pictures} pictures, {plan.Length} blows ({EachKind} of each: {string.Join(", ", kinds)}), {retries} retries by clients, {clock.Elapsed.TotalSeconds:0} s, seed {Seed}: nothing lost, nothing doubled, all bytes right.";
        output.WriteLine(report);
        if (Environment.GetEnvironmentVariable("MUSE_CHAOS_REPORT") is { Length: > 0 } file) await File.WriteAllTextAsync(file, report + "\n");

        async Task ClientAsync(int client)
        {
            for (var n = 0; accepted.Count < Requests || !stop.IsCancellationRequested; n++)
            {
                var job = Job($"chaos-{client}-{n}", count: 1 + n % 2) with { Seed = client * 100_000 + n, Steps = 10 };
                await AlwaysAsync(() => api.Jobs.SubmitAsync(job, null, Limit()));
                accepted.Add(job);
                while (true)
                {
                    using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
                    var front = api;
                    try
                    {
                        var final = await front.Jobs.WaitAsync(job.Id, patience.Token);
                        Assert.True(final is { State: JobState.Succeeded }, $"{job.Id}: {final?.State.ToString() ?? "lost"}");
                        break;
                    }
                    catch (Exception problem) when (problem is QueueUnavailableException or OperationCanceledException) { Interlocked.Increment(ref retries); } // It comes back for its job.
                }
            }
        }

        async Task AlwaysAsync<T>(Func<Task<T>> ask)
        {
            while (true)
                try
                {
                    await ask();
                    return;
                }
                catch (Exception problem) when (problem is QueueUnavailableException or OperationCanceledException)
                {
                    Interlocked.Increment(ref retries);
                    await Task.Delay(100); // As a client told to come back would.
                }
        }
    }

    /// <summary>The worker processes; none outlives the test, however it ends.</summary>
    sealed class Crew(QueueFixture fixture, int count) : IAsyncDisposable
    {
        readonly List<ProgramProcess> members = [.. Enumerable.Range(0, count).Select(_ => StartOne(fixture))];

        public ProgramProcess this[int index] => members[index];

        public async Task ReplaceAsync(int index)
        {
            await members[index].WaitForExitAsync(Limit());
            await members[index].DisposeAsync();
            members[index] = StartOne(fixture);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var member in members) await member.DisposeAsync();
        }

        static ProgramProcess StartOne(QueueFixture fixture) => WorkerFleet.Start(fixture.Redis, "simulated:base=100ms,picture=2ms,steps=10");
    }

    static async Task CutConnectionsAsync(RedisServer redis)
    {
        await using var connection = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{redis.Port},allowAdmin=true,abortConnect=false");
        foreach (var kind in new[] { "normal", "pubsub" })
            await connection.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes");
    }
}
