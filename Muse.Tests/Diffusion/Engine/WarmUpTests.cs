using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Muse.Diffusion;
using Muse.Tests.Autoscaler;

namespace Muse.Tests.Diffusion.Engine;

public class WarmUpTests
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>What ran while the engine started: images' width and height in latent cells, and rows.</summary>
    static async Task<List<(int Width, int Height, int Rows)>> RunsAtStart(FaultyModel model, EngineOptions options)
    {
        var runs = new List<(int, int, int)>();
        model.BeforeRun += (latent, rows) => runs.Add((latent.Width, latent.Height, rows));
        await using var engine = await EngineUnderTest.StartAsync(model, options);
        return [.. runs];
    }

    [Fact]
    public async Task Every_size_that_is_named_is_run_before_the_first_request()
    {
        var model = new FaultyModel();
        var runs = await RunsAtStart(model, new EngineOptions { WarmUpSizes = "512x512, 768x512,256x1024, 512x512" });
        var sizes = runs.Select(run => (run.Width, run.Height)).Distinct();
        Assert.Equal([(512, 512), (768, 512), (256, 1024)], sizes.Select(size => PixelsOf(model, size)));
        foreach (var size in runs.GroupBy(run => (run.Width, run.Height)))
            Assert.Equal([1, 2, 4, 8, 16, 24], size.Select(run => run.Rows));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(" ")]
    public async Task Where_none_is_named_the_model_s_default_size_is_run(string? setting)
    {
        var model = new FaultyModel();
        var runs = await RunsAtStart(model, new EngineOptions { WarmUpSizes = setting });
        Assert.All(runs, run => Assert.Equal((512, 512), PixelsOf(model, (run.Width, run.Height))));
    }

    [Fact]
    public async Task A_device_that_prepares_itself_by_shape_runs_every_number_of_rows_and_of_images_once()
    {
        var decoded = new List<int>();
        var model = new FaultyModel { PreparesByShape = true, MostDecoded = 4, BeforeDecode = decoded.Add };
        var runs = await RunsAtStart(model, new EngineOptions { MaxBatchSize = 5 });
        Assert.Equal([10, .. Enumerable.Range(1, 9)], runs.Select(run => run.Rows));
        Assert.Equal([1, 2, 3, 4], decoded);
    }

    [Fact]
    public async Task Rows_that_do_not_fit_at_the_start_are_halved_and_not_tried_again()
    {
        var model = new FaultyModel { PreparesByShape = true };
        var runs = new List<int>();
        model.BeforeRun = (_, rows) =>
        {
            runs.Add(rows);
            if (rows > 7)
                throw new DeviceMemoryException("no room");
            Thread.Sleep(1);
        };
        await using var engine = await EngineUnderTest.StartAsync(model);
        Assert.Equal([24, 12, 6, 1, 2, 3, 4, 5], runs);

        runs.Clear();
        for (var i = 0; i < 12; i++)
            engine.Submit(Requests.Of($"r{i}", steps: 30, size: 512));
        for (var i = 0; i < 12; i++)
            Assert.IsType<EngineEvent.Completed>(await engine.EndOf($"r{i}"));
        Assert.Equal(6, runs.Max());
    }

    [Fact]
    public async Task A_size_that_does_not_fit_at_all_ends_the_start()
    {
        var model = new FaultyModel();
        var cells = model.GetLatentShape(1024, 1024).Width;
        model.BeforeRun = (latent, _) =>
        {
            if (latent.Width == cells)
                throw new DeviceMemoryException("It does not fit.");
        };
        await Assert.ThrowsAsync<DeviceMemoryException>(
            () => EngineUnderTest.StartAsync(model, new EngineOptions { WarmUpSizes = "512x512,1024x1024" }));
    }

    [Fact]
    public async Task The_engine_has_not_started_while_a_size_is_cold_and_then_logs_how_long_each_took()
    {
        var time = new FakeTimeProvider();
        var log = new LinesLogger();
        using var reached = new SemaphoreSlim(0);
        using var goOn = new SemaphoreSlim(0);
        var model = new FaultyModel();
        var last = model.GetLatentShape(256, 256).Width;
        model.BeforeRun = (latent, rows) =>
        {
            time.Advance(TimeSpan.FromMilliseconds(latent.Width == last ? 10 : 100));
            if (latent.Width == last && rows == 24)
            {
                reached.Release();
                Assert.True(goOn.Wait(Limit));
            }
        };
        await using var engine =
            new DiffusionEngine(model, new EngineOptions { WarmUpSizes = "512x512,256x256" }, time, log.For<DiffusionEngine>());
        var start = engine.StartAsync(CancellationToken.None);
        Assert.True(await reached.WaitAsync(Limit));
        Assert.False(start.IsCompleted);
        goOn.Release();
        await start.WaitAsync(Limit);
        Assert.Equal(["at 512x512: up to 24 rows, in 600 ms", "at 256x256: up to 24 rows, in 60 ms"],
            log.All.Where(line => line.StartsWith("Warmed up", StringComparison.Ordinal))
                .Select(line => line[line.IndexOf(" at ", StringComparison.Ordinal)..].TrimStart()));
    }

    [Fact]
    public async Task Where_guidance_is_embedded_and_only_one_row_fits_the_engine_serves()
    {
        var model = new FaultyModel
        {
            GuidanceEmbedded = true,
            BeforeRun = (_, rows) =>
            {
                if (rows > 1)
                    throw new DeviceMemoryException("no room");
            },
        };
        await using var engine = await EngineUnderTest.StartAsync(model);
        engine.Submit(Requests.Of("a"));
        engine.Submit(Requests.Of("b"));
        Assert.IsType<EngineEvent.Completed>(await engine.EndOf("a"));
        Assert.IsType<EngineEvent.Completed>(await engine.EndOf("b"));
    }

    [Fact]
    public async Task An_engine_that_is_disposed_while_it_warms_up_waits_for_the_call_that_uses_the_model()
    {
        using var reached = new SemaphoreSlim(0);
        using var goOn = new SemaphoreSlim(0);
        var model = new FaultyModel();
        var usedAfterDisposal = false;
        model.BeforeRun = (_, _) =>
        {
            reached.Release();
            Assert.True(goOn.Wait(Limit));
            usedAfterDisposal |= model.IsDisposed;
        };
        var engine = new DiffusionEngine(model, new EngineOptions(), TimeProvider.System, NullLogger<DiffusionEngine>.Instance);
        var start = engine.StartAsync(CancellationToken.None);
        Assert.True(await reached.WaitAsync(Limit));
        var disposal = engine.DisposeAsync().AsTask();
        Assert.False(model.IsDisposed);
        goOn.Release();
        await disposal.WaitAsync(Limit);
        Assert.True(model.IsDisposed);
        Assert.False(usedAfterDisposal);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => start);
    }

    [Theory]
    [InlineData("512", "Engine:WarmUpSizes: '512' is not a size; sizes are written as 512x512, with commas between.")]
    [InlineData("512x512,", "Engine:WarmUpSizes: '' is not a size; sizes are written as 512x512, with commas between.")]
    [InlineData("512x-512", "Engine:WarmUpSizes: '512x-512' is not a size; sizes are written as 512x512, with commas between.")]
    [InlineData("512x512;256x256",
        "Engine:WarmUpSizes: '512x512;256x256' is not a size; sizes are written as 512x512, with commas between.")]
    [InlineData("512x2048",
        "Engine:WarmUpSizes: the model 'test' can't generate 512x2048. Height must be a multiple of 64 between 64 and 1024; 2048 was "
        + "requested.")]
    [InlineData("512x512,500x512",
        "Engine:WarmUpSizes: the model 'test' can't generate 500x512. Width must be a multiple of 64 between 64 and 1024; 500 was "
        + "requested.")]
    public void What_can_not_be_warmed_up_is_refused_with_what_is_allowed(string setting, string message)
    {
        using var model = new SimulatedModel("test", SimulationSpec.Free with { Side = 64 }, TimeProvider.System);
        var refused =
            Assert.Throws<ArgumentException>(() =>
            new DiffusionEngine(model, new EngineOptions { WarmUpSizes = setting }, TimeProvider.System,
            NullLogger<DiffusionEngine>.Instance));
        Assert.Equal(message, refused.Message);
    }

    static (int Width, int Height) PixelsOf(FaultyModel model, (int Width, int Height) cells)
    {
        var pixels = 512 / model.GetLatentShape(512, 512).Width;
        return (cells.Width * pixels, cells.Height * pixels);
    }
}
