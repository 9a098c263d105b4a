using Muse.Tests.Chaos;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.GpuWorker;

public sealed class MeasuredRateTests
{
    // 80 ms a step, whoever is in the batch: a batch of 12 with 50 steps each makes 3 pictures a second.
    const string Device = "simulated:base=4000ms,picture=0ms,steps=50";

    [RedisFact]
    public async Task The_first_figure_of_a_worker_counts_the_pictures_that_it_has_begun()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        // One is done long before the others: by whole pictures, the worker would seem to make one in two seconds.
        foreach (var steps in Enumerable.Repeat(50, 30).Prepend(5))
            await api.Jobs.SubmitAsync(Job() with { Steps = steps }, null, Limit());
        await using var worker = WorkerFleet.Start(fixture.Redis, Device);
        var told =
            await EventuallyAsync(() => api.Fleet.WorkersAsync(Limit()), workers => workers is [{ PicturesPerSecond: not null }],
            seconds: 60);
        // Half the time of the first figure may have passed before the batch was full.
        Assert.True(told[0].PicturesPerSecond > 0.8, $"{told[0].PicturesPerSecond} pictures a second");
    }
}
