using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

public sealed class HandBackTests
{
    // 50 ms a step, whoever is in the batch.
    const string Device = "simulated:base=2500ms,picture=0ms,steps=50";

    [RedisFact]
    public async Task A_terminated_worker_hands_twelve_pictures_back_in_time_and_another_goes_on_at_their_step()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        var jobs = Enumerable.Range(0, 12).Select(i => Job() with { Seed = 1000 + i, Steps = 50 }).ToList();
        foreach (var job in jobs)
            await api.Jobs.SubmitAsync(job, null, Limit());

        await using var first = WorkerFleet.Start(fixture.Redis, Device);
        await EventuallyAsync(() => SnapshotsAsync(), all => all.All(job => job.Pictures[0].Step >= 10));
        first.Terminate();
        await first.WaitForExitAsync(Limit());
        Assert.Equal(0, first.ExitCode);

        var back = await SnapshotsAsync();
        Assert.All(back, job => Assert.Equal(JobState.Queued, job.Pictures[0].State));
        Assert.All(back, job => Assert.InRange(job.Pictures[0].Step, 10, 49));

        // Nobody else takes a step that was done: the first that is heard of each is the one it was handed back at.
        var firstHeard = new int[12];
        var watching = jobs.Select(async (job, i) =>
        {
            await foreach (var snapshot in api.Jobs.WatchAsync(job.Id, back[i].Revision, Limit()))
            {
                if (snapshot.Pictures[0] is { State: JobState.Running, Step: var step } && (firstHeard[i] == 0 || step < firstHeard[i]))
                    firstHeard[i] = step;
            }
        }).ToList();
        await using var second = WorkerFleet.Start(fixture.Redis, Device);
        await Task.WhenAll(watching);
        for (var i = 0; i < 12; i++)
        {
            Assert.True(firstHeard[i] >= back[i].Pictures[0].Step,
                $"Picture {i} was handed back at {back[i].Pictures[0].Step} and went on at {firstHeard[i]}.");
        }

        var expected = await WorkerFleet.PaintAsync(jobs);
        foreach (var job in jobs)
            Assert.Equal(expected[$"{job.Id}/0"], WorkerFleet.Hash((await api.Jobs.FindPictureAsync(job.Id, 0, Limit()))!.Bytes.Span));
        Assert.Empty(await api.Dead.ListAsync(10, Limit()));

        async Task<JobSnapshot[]> SnapshotsAsync() => (await Task.WhenAll(jobs.Select(job => api.Jobs.FindAsync(job.Id, Limit()))))!;
    }
}
