using Muse.Queue;
using Muse.Tests.Chaos;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.GpuWorker;

public sealed class BreakdownTests
{
    [RedisFact]
    public async Task A_worker_that_can_not_continue_logs_why_hands_its_work_back_and_ends()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        await using var worker = WorkerProcess.Start(fixture.Redis, "simulated:base=4000ms,picture=0ms");
        await api.Jobs.SubmitAsync(Job("long"), null, Limit());
        await EventuallyAsync(() => api.Fleet.WorkersAsync(Limit()), workers => workers is [{ Batch: [{ Step: > 0 }] }], seconds: 60);

        // From now on the heartbeat fails: its key holds a value of another type.
        await api.Redis.StringSetAsync(api.Keys.Fleet, "not a fleet");

        await worker.WaitForExitAsync(Limit(60));
        Assert.Equal(1, worker.ExitCode);
        Assert.Contains("can't generate and ends: ", worker.Output);
        Assert.Contains("WRONGTYPE", worker.Output);
        await api.Redis.KeyDeleteAsync(api.Keys.Fleet);
        await using var other = WorkerProcess.Start(fixture.Redis, "simulated:base=0ms,picture=0ms");
        var job = await api.Jobs.WaitAsync("long", Limit(60));
        Assert.Equal(JobState.Succeeded, job!.State);
    }
}
