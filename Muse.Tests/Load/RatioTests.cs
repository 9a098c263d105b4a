using System.Diagnostics;
using System.Net.Http.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.Tests.Api;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Load;

/// <summary>Runs when nothing else does, because it measures.</summary>
[CollectionDefinition(nameof(AloneOnTheMachine), DisableParallelization = true)]
public sealed class AloneOnTheMachine;

/// <summary>What batching and serving must not lose, as ratios against what a simulated device of stated cost allows. Wide: they tell of a defect, not of a slow day.</summary>
[Collection(nameof(AloneOnTheMachine))]
public sealed class RatioTests
{
    [Fact]
    public async Task A_batch_of_twelve_paints_nearly_as_many_times_more_as_the_device_allows()
    {
        // 50 ms for one and 160 ms for twelve: 3.75 times as many a second.
        var one = await PicturesASecondAsync(batch: 1, count: 16);
        var twelve = await PicturesASecondAsync(batch: 12, count: 72);
        Assert.InRange(twelve / one, 3, 4.5);
    }

    static async Task<double> PicturesASecondAsync(int batch, int count)
    {
        var model = DiffusionModels.Open("simulated", "simulated:base=40ms,picture=10ms,steps=4", new DeviceOptions(), TimeProvider.System, NullLogger.Instance);
        await using var engine = new DiffusionEngine(model, new EngineOptions { MaxBatchSize = batch }, TimeProvider.System, NullLogger<DiffusionEngine>.Instance);
        await engine.StartAsync(CancellationToken.None);
        var clock = Stopwatch.StartNew();
        var feeding = Task.Run(async () =>
        {
            for (var i = 0; i < count; i++)
            {
                await engine.WaitForRoomAsync(CancellationToken.None);
                Assert.True(engine.TrySubmit(new GenerationRequest { Id = $"{i}", Prompt = "a house", Width = 64, Height = 64, Steps = 4, GuidanceScale = 7.5f, Seed = i }));
            }
        });
        for (var done = 0; done < count;)
        {
            if (await engine.Events.ReadAsync() is EngineEvent.Completed)
                done++;
        }

        await feeding;
        return count / clock.Elapsed.TotalSeconds;
    }

    [SkippableFact]
    public async Task Through_HTTP_and_Redis_a_worker_paints_at_least_nine_tenths_of_what_its_device_allows()
    {
        const double allowed = 12 / 0.44; // Twelve pictures in 200 ms + 12 × 20 ms.
        await using var server = await ApiServer.StartAsync(withoutPainter: true);
        await using var worker = new ProgramProcess("Muse.GpuWorker", server.Redis,
            ("MUSE_GPU_TYPE", "simulated:base=200ms,picture=20ms,bytes=20000"), ("MUSE_MODEL", "scenes"));
        await PaintAsync(); // The worker has started.

        var (clock, painted) = (Stopwatch.StartNew(), 0);
        var (warmUp, measured) = (TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(6));
        await Task.WhenAll(Enumerable.Range(0, 30).Select(async _ =>
        {
            while (clock.Elapsed < warmUp + measured)
            {
                await PaintAsync();
                if (clock.Elapsed > warmUp && clock.Elapsed < warmUp + measured)
                    Interlocked.Increment(ref painted);
            }
        }));
        Assert.InRange(painted / measured.TotalSeconds / allowed, 0.9, 1.1);

        async Task PaintAsync()
        {
            using var answer = await server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a house" });
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }
    }
}
