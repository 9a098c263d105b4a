using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Simulation;

public class SimulatedModelTests
{
    [Fact]
    public void A_batch_of_n_guided_images_costs_the_base_and_n_times_the_image()
    {
        var spec = SimulationSpec.Parse("simulated:base=60ms,picture=12ms,steps=10");
        Assert.Equal(TimeSpan.FromMilliseconds(60 + 5 * 12), 10 * spec.StepCost(rows: 10));
        Assert.Equal("60 ms + 12 ms an image for 10 steps", spec.ToString());
        Assert.Equal(TimeSpan.FromMilliseconds(50), 20 * SimulationSpec.Parse("simulated").StepCost(rows: 2));
    }

    [Theory]
    [InlineData("simulated:base=-1ms",
        "The device 'simulated:base=-1ms' has base=-1ms; it must be milliseconds from 0 to 3600000, such as base=40ms.")]
    [InlineData("simulated:steps=0", "The device 'simulated:steps=0' has steps=0; it must be a whole number from 1 to 1000.")]
    [InlineData("simulated:speed=9",
        "The device 'simulated:speed=9' has a part 'speed'; a simulated device has base, picture, change, steps, bytes and side.")]
    public void A_wrong_specification_says_what_is_allowed(string device, string message) =>
        Assert.StartsWith(message, Assert.Throws<ArgumentException>(() => SimulationSpec.Parse(device)).Message);

    [Fact]
    public void An_unknown_device_says_what_there_is() =>
        Assert.Equal(
            $"There is no device 'tpu'; it can be "
            + $"{"auto, cpu, cuda, tensorrt, plugin:/path/to/library, or simulated:base=40ms,picture=10ms"}.",
            Assert.Throws<ArgumentException>(() =>
                DiffusionModels.Open("x", "tpu", new DeviceOptions(), TimeProvider.System, NullLogger.Instance)).Message);

    [Fact]
    public async Task An_image_has_the_requested_size()
    {
        var folder = Path.Combine(Repository.Root, "models", "scenes");
        await using var engine =
            await EngineUnderTest.StartAsync(DiffusionModels.Open(folder, "simulated:base=0ms,picture=0ms", new DeviceOptions(),
            TimeProvider.System, NullLogger.Instance));
        engine.Submit(Requests.Of("wide") with { Width = 160, Height = 96 });
        Assert.Equal(3 * 160 * 96, (await engine.ImageOf("wide")).Length);
    }

    [Fact]
    public async Task An_image_depends_on_prompt_and_seed_and_has_about_the_requested_bytes()
    {
        await using var engine =
            await EngineUnderTest.StartAsync(new SimulatedModel("test", SimulationSpec.Free with { Bytes = 30_000 }, TimeProvider.System));
        engine.Submit(Requests.Of("a", prompt: "a cat", seed: 1, size: 256));
        engine.Submit(Requests.Of("again", prompt: "a cat", seed: 1, size: 256));
        engine.Submit(Requests.Of("seed", prompt: "a cat", seed: 2, size: 256));
        engine.Submit(Requests.Of("prompt", prompt: "a dog", seed: 1, size: 256));
        var a = await engine.ImageOf("a");
        Assert.Equal(a, await engine.ImageOf("again"));
        Assert.NotEqual(a, await engine.ImageOf("seed"));
        Assert.NotEqual(a, await engine.ImageOf("prompt"));
        Assert.InRange(ImageEncoder.Encode(new RgbImage(256, 256, a), ImageFormat.Png).Length, 27_000, 36_000);
    }

    [Fact]
    public void It_takes_images_as_the_mean_colours_of_their_cells_and_shows_them_in_previews()
    {
        using var model = new SimulatedModel("test", SimulationSpec.Free, TimeProvider.System);
        Assert.True(model.Traits.ImageInput);
        var pixels = new byte[3 * 128 * 64];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(i / 3 % 128 < 64 ? 100 + i % 3 : 180 + 2 * (i % 2));
        var shape = model.GetLatentShape(128, 64);
        byte[] mask = [.. Enumerable.Range(0, 128 * 64).Select(i => i % 128 < 64 ? (byte)255 : (byte)0)];
        var whole = model.EncodeImage(shape, new RgbImage(128, 64, pixels), [], new SeededNoise(1));
        var masked = model.EncodeImage(shape, new RgbImage(128, 64, pixels), mask, new SeededNoise(1));
        Assert.Equal([100, 101, 102, 181, 181, 181], model.Preview(shape, whole).Pixels);
        Assert.Equal([128, 128, 128, 181, 181, 181], model.Preview(shape, masked).Pixels);
    }

    [Fact]
    public void It_stands_for_a_folder_with_its_name_sizes_and_defaults()
    {
        var folder = new OnnxFolderBuilder { ModelIndex = """{"_muse": {"defaults": {"steps": 9}}}""" }.Write();
        using var model = DiffusionModels.Open(folder, "simulated", new DeviceOptions(), TimeProvider.System, NullLogger.Instance);
        Assert.Equal(("tiny", 128, 9), (model.Traits.Name, model.Traits.DefaultWidth, model.Traits.DefaultSteps));
        Assert.StartsWith("simulated (", model.Traits.Device);
    }

    [Fact]
    public void Its_time_passes_on_the_clock_it_was_given() =>
        Assert.Equal([100, 100], Took(SimulationSpec.Parse("simulated:base=100ms,picture=0ms,steps=1"), 1, 2));

    [Fact]
    public void Where_a_change_of_rows_takes_time_more_run_than_are_needed()
    {
        var spec = SimulationSpec.Parse("simulated:base=0ms,picture=20ms,change=100ms,steps=1");
        Assert.Equal("0 ms + 20 ms an image for 1 steps, 100 ms a change of shape", spec.ToString());
        Assert.Equal([140, 40, 40, 40], Took(spec, 4, 4, 2, 2));
        Assert.Equal([140, 40, 120, 20], Took(spec with { PadsRows = false }, 4, 4, 2, 2));
    }

    /// <summary>Milliseconds that steps of so many rows take.</summary>
    static List<double> Took(SimulationSpec spec, params int[] steps)
    {
        var clock = new HurriedClock();
        using var model = new SimulatedModel("test", spec, clock);
        var took = new List<double>();
        foreach (var rows in steps)
        {
            var conditioning = model.Encode("");
            var batch = model.PrepareBatch(model.GetLatentShape(128, 128), conditioning.Shape, rows);
            for (var row = 0; row < rows; row++)
                batch.SetCondition(row, new RowCondition(1, conditioning, 1, 128, 128));
            var started = clock.GetTimestamp();
            batch.Run();
            took.Add(clock.GetElapsedTime(started).TotalMilliseconds);
        }
        return took;
    }

    /// <summary>A clock on which what a timer waits for comes at once.</summary>
    sealed class HurriedClock : TimeProvider
    {
        long now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new Timer(this, callback, state);

        sealed class Timer(HurriedClock clock, TimerCallback callback, object? state) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                clock.now += dueTime.Ticks;
                callback(state);
                return true;
            }

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
