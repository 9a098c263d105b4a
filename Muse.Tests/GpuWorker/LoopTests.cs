using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Muse.Diffusion;
using Muse.GpuWorker;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.GpuWorker;

/// <summary>The worker's loops, one call at a time.</summary>
public sealed class LoopTests
{
    static WorkerContext Open(TimeProvider time)
    {
        var context = new WorkerContext(Options.Create(new WorkerOptions { Device = "simulated:base=0ms,picture=0ms" }),
            Options.Create(new EngineOptions { MaxBatchSize = 1 }), Options.Create(new DeviceOptions()), time, NullLoggerFactory.Instance);
        context.Open();
        return context;
    }

    [RedisFact]
    public async Task An_image_that_can_not_be_handed_back_is_not_held_any_more()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var (api, worker) = (fixture.Start(), fixture.Start());
        await using var context = Open(TimeProvider.System);
        var loop = new WorkLoop(
            context, worker.Work, Options.Create(new QueueOptions()), TimeProvider.System, NullLogger<WorkLoop>.Instance);
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        var item = (await worker.Work.TakeAsync(1))[0];
        _ = context.Engine.DrainAsync(); // It takes no more.
        await fixture.Redis.KillAsync();
        await loop.SubmitAsync(item, CancellationToken.None);
        Assert.Empty(context.InFlight); // Its lease is not renewed.
    }

    [RedisFact]
    public async Task A_rate_is_measured_over_the_time_between_heartbeats_however_late_they_are()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var (api, worker) = (fixture.Start(), fixture.Start());
        var time = new FakeTimeProvider();
        await using var context = Open(time);
        var loop = new HeartbeatLoop(context, worker.Work, worker.Fleet, Options.Create(new WorkerOptions()), time,
            NullLogger<HeartbeatLoop>.Instance);
        await api.Jobs.SubmitAsync(Job(), null, Limit());
        context.Add((await worker.Work.TakeAsync(1))[0]); // The batch is full.
        await loop.SendHeartbeatAsync(Limit());
        // Redis did not answer for five seconds, in which the worker made five images.
        time.Advance(TimeSpan.FromSeconds(5));
        context.AddProgress(5);
        await loop.SendHeartbeatAsync(Limit());
        Assert.Equal(1, (await api.Fleet.WorkersAsync(Limit()))[0].ImagesPerSecond);
    }
}
