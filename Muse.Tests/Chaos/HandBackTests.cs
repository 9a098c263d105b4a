using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

public sealed class HandBackTests
{
    // 250 ms and 100 ms a step for any batch: however busy the machine is, the first worker has not finished when it is ended, and the
    // second one runs long enough to be seen.
    const string Slow = "simulated:base=12500ms,picture=0ms,steps=50", Fast = "simulated:base=5000ms,picture=0ms,steps=50";

    [RedisFact]
    public async Task A_terminated_worker_hands_twelve_images_back_and_another_continues_at_their_steps()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        var jobs = Enumerable.Range(0, 12).Select(i => Job() with { Seed = 1000 + i, Steps = 150 }).ToList();
        foreach (var job in jobs)
            await api.Jobs.SubmitAsync(job, null, Limit());

        await using var first = WorkerProcess.Start(fixture.Redis, Slow);
        await EventuallyAsync(() => SnapshotsAsync(), all => all.All(job => job.Images[0].Step >= 10));
        first.Terminate();
        await first.WaitForExitAsync(Limit());
        Assert.Equal(0, first.ExitCode);

        var handedBack = await SnapshotsAsync();
        Assert.All(handedBack, job => Assert.Equal(JobState.Queued, job.Images[0].State));
        Assert.All(handedBack, job => Assert.InRange(job.Images[0].Step, 10, 149));

        // No step is done twice: the first step that the second worker reports is not below the one at the hand-back.
        var firstReported = new int?[12];
        var watches = jobs.Select(async (job, i) =>
        {
            await foreach (var snapshot in api.Jobs.WatchAsync(job.Id, handedBack[i].Revision, Limit()))
            {
                if (snapshot.Images[0] is not { State: JobState.Running, Step: var step })
                    continue;
                firstReported[i] = Math.Min(firstReported[i] ?? step, step);
            }
        }).ToList();
        await using var second = WorkerProcess.Start(fixture.Redis, Fast);
        await Task.WhenAll(watches);
        // On a busy machine a watch may see nothing between the hand-back and the end; one of the twelve does.
        Assert.Contains(firstReported, step => step is not null);
        for (var i = 0; i < 12; i++)
        {
            Assert.True(firstReported[i] is not { } step || step >= handedBack[i].Images[0].Step,
                $"Image {i} was handed back at {handedBack[i].Images[0].Step} and continued at {firstReported[i]}.");
        }

        var expected = await ExpectedImages.GenerateAsync(jobs);
        foreach (var job in jobs)
            Assert.Equal(expected[$"{job.Id}/0"], ExpectedImages.Hash((await api.Jobs.FindImageAsync(job.Id, 0, Limit()))!.Bytes.Span));
        Assert.Empty(await api.Dead.ListAsync(10, Limit()));

        async Task<JobSnapshot[]> SnapshotsAsync() => (await Task.WhenAll(jobs.Select(job => api.Jobs.FindAsync(job.Id, Limit()))))!;
    }
}
