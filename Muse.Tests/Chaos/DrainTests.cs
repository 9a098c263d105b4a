using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

public sealed class DrainTests
{
    // 5 s a step, longer than a worker has to drain by default.
    const string Device = "simulated:base=100000ms,picture=0ms,steps=20";

    [RedisFact]
    public async Task A_worker_hands_back_images_after_a_slow_step_if_it_may_drain_for_long_enough()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        var job = Job() with { Steps = 20 };
        await api.Jobs.SubmitAsync(job, null, Limit());
        await using var worker = WorkerProcess.Start(fixture.Redis, Device, ("Queue__Lease", "00:01:00"), ("MUSE_WORKER_DRAIN", "20"));
        // The next step begins when the first one is reported.
        await EventuallyAsync(() => ImageAsync(), image => image.Step == 1);
        worker.Terminate();
        await worker.WaitForExitAsync(Limit());
        Assert.Equal(0, worker.ExitCode);
        // An image that is abandoned instead stays running until its lease expires.
        Assert.Equal(JobState.Queued, (await ImageAsync()).State);

        async Task<ImageSnapshot> ImageAsync() => (await api.Jobs.FindAsync(job.Id, Limit()))!.Images[0];
    }
}
