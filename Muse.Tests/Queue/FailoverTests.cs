using System.Collections.Concurrent;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Xunit.Abstractions;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>
/// A master of Redis fails, and its replica takes over: on a cluster of three masters and three replicas, and with Sentinel.
/// </summary>
public sealed class FailoverTests(ITestOutputHelper output)
{
    /// <summary>The content of an image that is uploaded.</summary>
    static readonly string Large = new('x', 40_000);

    [RedisFact]
    public async Task A_job_that_no_replica_has_is_lost_with_its_master_and_is_not_accepted_where_replicas_are_waited_for()
    {
        await using var fixture = await QueueFixture.StartOnClusterAsync(withReplicas: true);
        var (plain, waiting) = (fixture.Start(), fixture.Start(("WaitReplicas", "1"), ("WaitTimeout", "00:00:00.500")));
        var (master, replica) = ServersOf(fixture, plain);
        var replicated = Job();
        Assert.IsType<SubmitOutcome.Accepted>(await waiting.Jobs.SubmitAsync(replicated, null, Limit()));

        // The replica gets nothing from here on: its connection is closed, and it makes no new one.
        replica.Pause();
        await master.AskAsync("CLIENT", "KILL", "TYPE", "replica");
        var (lost, refused) = (Job(), Job());
        var token = new IdempotencyToken("key", "body", TimeSpan.FromMinutes(10));
        Assert.IsType<SubmitOutcome.Accepted>(await plain.Jobs.SubmitAsync(lost, null, Limit()));
        var thrown =
            await Assert.ThrowsAsync<ReplicationTimeoutException>(() => waiting.Jobs.SubmitAsync(refused, token, Limit()));
        Assert.Equal("0 of 1 replicas of Redis have confirmed a submission within 0.5 s.", thrown.Message);
        // A retry finds the job on the master, and is not accepted either.
        await Assert.ThrowsAsync<ReplicationTimeoutException>(() => waiting.Jobs.SubmitAsync(Job(), token, Limit()));
        Assert.Equal(JobState.Queued, (await plain.Jobs.FindAsync(refused.Id, Limit()))!.State);

        await master.KillAsync();
        replica.Resume();
        Assert.NotNull(await WhenAvailableAsync(() => plain.Jobs.FindAsync(replicated.Id, Limit())));
        Assert.Null(await plain.Jobs.FindAsync(lost.Id, Limit()));
        Assert.Null(await plain.Jobs.FindAsync(refused.Id, Limit()));

        // The old master comes back as the replica of the new one.
        await master.LaunchAsync();
        var again = Job();
        Assert.IsType<SubmitOutcome.Accepted>(await WhenAvailableAsync(() => waiting.Jobs.SubmitAsync(again, token, Limit())));
        var items = await plain.Work.TakeAsync(2);
        Assert.Equal([replicated.Id, again.Id], items.Select(item => item.Job.Id));
        foreach (var item in items)
            Assert.True(await plain.Work.CompleteAsync(item, Finished(), Limit()));
    }

    [RedisFact]
    public async Task Of_the_jobs_that_were_accepted_with_replicas_waited_for_none_is_lost_when_a_master_is_killed_under_load()
    {
        await using var fixture = await QueueFixture.StartOnClusterAsync(withReplicas: true);
        var settings = new[] { ("MaxLength", "1000000"), ("Lease", "00:00:02") };
        var reader = fixture.Start(settings);
        var (plain, waiting) = (fixture.Start(settings), fixture.Start([.. settings, ("WaitReplicas", "1")]));
        var (accepted, acceptedByMaster) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
        using var stop = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 8).Select(i => SubmitAsync(waiting, accepted, i))
            .Concat(Enumerable.Range(8, 8).Select(i => SubmitAsync(plain, acceptedByMaster, i))).ToList();
        using var stopWorker = new CancellationTokenSource();
        var working = WorkAsync(fixture.Start(settings).Work, stopWorker.Token);

        await EventuallyAsync(() => Task.FromResult(accepted.Count), count => count >= 200);
        var (master, _) = ServersOf(fixture, reader);
        await master.KillAsync();
        var before = accepted.Count;
        await WhenAvailableAsync(() => reader.Jobs.FindAsync(accepted.First(), Limit()));
        await master.LaunchAsync(); // As a replica: until then, nothing is accepted where one is waited for.
        await EventuallyAsync(() => Task.FromResult(accepted.Count), count => count >= before + 200);
        await stop.CancelAsync();
        await Task.WhenAll(clients);

        foreach (var id in accepted)
        {
            var ended = await WhenAvailableAsync(() => reader.Jobs.WaitAsync(id, Limit()));
            Assert.True(ended is { State: JobState.Succeeded }, $"{id} was accepted and is {ended?.State.ToString() ?? "lost"}.");
        }
        var lost = 0;
        foreach (var id in acceptedByMaster)
            lost += await reader.Jobs.FindAsync(id, Limit()) is null ? 1 : 0;
        await EventuallyAsync(() => reader.Fleet.MeasureAsync(Limit()), m => m is { Waiting: 0, Pending: 0 });
        await stopWorker.CancelAsync();
        await working;
        Assert.Empty(await reader.Dead.ListAsync(10, Limit()));
        output.WriteLine(
            $"Accepted with one replica: {accepted.Count}, lost 0. By the master alone: {acceptedByMaster.Count}, lost {lost}.");

        // A client that sends a request again under its key until it is accepted.
        async Task SubmitAsync(QueueFixture.Program program, ConcurrentQueue<string> ids, int client)
        {
            for (var n = 0; !stop.IsCancellationRequested; n++)
            {
                var token = new IdempotencyToken($"{client}-{n}", "body", TimeSpan.FromMinutes(10));
                var outcome = await WhenAvailableAsync(() => program.Jobs.SubmitAsync(Job($"load-{Guid.NewGuid():N}"), token, Limit()));
                ids.Enqueue(outcome switch
                {
                    SubmitOutcome.Accepted one => one.JobId,
                    SubmitOutcome.Duplicate one => one.JobId,
                    _ => throw new Xunit.Sdk.XunitException($"{outcome}"),
                });
                await Task.Delay(5);
            }
        }
    }

    [RedisFact]
    public async Task Muse_finds_the_master_through_Sentinel_and_the_next_one_after_a_failover()
    {
        await using var fixture = await QueueFixture.StartAsync("--appendonly", "yes");
        await using var replica = await RedisServer.StartAsync(
            "--appendonly", "yes", "--replicaof", "127.0.0.1", $"{fixture.Redis.Port}");
        await replica.WaitUntilReplicatingAsync();
        await using var sentinel = new RedisSentinel();
        fixture.ConnectionString = sentinel.ConnectionString;
        var (api, worker) = (fixture.Start(("WaitReplicas", "1"), ("Lease", "00:00:02")), fixture.Start(("Lease", "00:00:02")));
        var (before, after) = (Job(), Job());
        await Assert.ThrowsAsync<QueueUnavailableException>(() => api.Jobs.SubmitAsync(before, null, Limit()));
        await sentinel.LaunchAsync(fixture.Redis, replica);
        Assert.IsType<SubmitOutcome.Accepted>(await WhenAvailableAsync(() => api.Jobs.SubmitAsync(before, null, Limit())));
        Assert.Null(await api.Connection.FindUnsupportedAsync());
        var waiting = api.Jobs.WaitWithImagesAsync(before, Limit());

        await fixture.Redis.KillAsync();
        var item = (await WhenAvailableAsync(() => worker.Work.TakeAsync(1))).Single();
        Assert.Equal(before.Id, item.Job.Id);
        Assert.True(await worker.Work.CompleteAsync(item, Finished(Large), Limit()));
        Assert.Equal(Large, (await waiting)!.Images[0]!.Text());
        await fixture.Redis.LaunchAsync(); // Sentinel makes it the replica.
        Assert.IsType<SubmitOutcome.Accepted>(await WhenAvailableAsync(() => api.Jobs.SubmitAsync(after, null, Limit())));
    }

    /// <summary>The master and the replica that have the queue's keys.</summary>
    static (RedisServer Master, RedisServer Replica) ServersOf(QueueFixture fixture, QueueFixture.Program program)
    {
        var port = ((System.Net.IPEndPoint)program.Redis.IdentifyEndpoint(program.Keys.Prefix)!).Port;
        var index = fixture.Cluster.Masters.ToList().FindIndex(server => server.Port == port);
        return (fixture.Cluster.Masters[index], fixture.Cluster.Replicas[index]);
    }

    /// <summary>Repeats a call until Redis is available.</summary>
    static async Task<T> WhenAvailableAsync<T>(Func<Task<T>> call)
    {
        var limit = Limit();
        while (true)
        {
            try
            {
                return await call();
            }
            catch (QueueUnavailableException)
            {
                await Task.Delay(50, limit);
            }
        }
    }

    /// <summary>Completes images until it is cancelled.</summary>
    static async Task WorkAsync(WorkQueue work, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var items = await work.ReadAsync(12, stop);
                foreach (var item in items)
                    await work.CompleteAsync(item, Finished(Large), stop);
                if (items.Count == 0)
                    await work.WaitForWorkAsync(stop);
            }
            catch (QueueUnavailableException)
            {
                await Task.Delay(50, CancellationToken.None);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested) { } // The end.
        }
    }
}
