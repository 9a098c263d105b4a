using Muse.Tests.Chaos;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.GpuWorker;

public sealed class MeasuredRateTests
{
    // 80 ms a step for any batch: 12 images with 50 steps each are 3 images a second.
    const string Device = "simulated:base=4000ms,picture=0ms,steps=50";

    [RedisFact]
    public async Task The_first_measured_rate_of_a_worker_counts_the_images_in_work()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        // One is done long before the others. Counting only finished images, the rate would be one in two seconds.
        foreach (var steps in Enumerable.Repeat(50, 30).Prepend(5))
            await api.Jobs.SubmitAsync(Job() with { Steps = steps }, null, Limit());
        await using var worker = WorkerProcess.Start(fixture.Redis, Device);
        var workers = await EventuallyAsync(
            () => api.Fleet.WorkersAsync(Limit()), workers => workers is [{ ImagesPerSecond: not null }], seconds: 60);
        // Half the time of the first measurement may have passed before the batch was full.
        Assert.True(workers[0].ImagesPerSecond > 0.8, $"{workers[0].ImagesPerSecond} images a second");
    }
}
