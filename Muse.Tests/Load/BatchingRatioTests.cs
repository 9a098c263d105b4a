using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;

namespace Muse.Tests.Load;

/// <summary>The gain of batching on a simulated device, in the simulated device's own time.</summary>
public sealed class BatchingRatioTests
{
    [Fact]
    public async Task The_gain_of_a_batch_of_twelve_is_close_to_what_the_device_allows()
    {
        // A step takes 50 ms for one image and 160 ms for twelve: 3.75 times as many images per second.
        var one = await ImagesPerSecondAsync(count: 1);
        var twelve = await ImagesPerSecondAsync(count: 12);
        Assert.InRange(twelve / one, 3, 4.5);
    }

    static async Task<double> ImagesPerSecondAsync(int count)
    {
        var time = new StepTime();
        var model = DiffusionModels.Open(
            "simulated", "simulated:base=40ms,picture=10ms,steps=4", new DeviceOptions(), time, NullLogger.Instance);
        await using var engine =
            new DiffusionEngine(model, new EngineOptions { MaxBatchSize = 12 }, time, NullLogger<DiffusionEngine>.Instance);
        await engine.StartAsync(CancellationToken.None);
        time.Hold();
        for (var i = 0; i < count; i++)
        {
            await engine.WaitForFreeSlotAsync(CancellationToken.None);
            Assert.True(engine.TrySubmit(new GenerationRequest
            {
                Id = $"{i}",
                Prompt = "a house",
                Width = 64,
                Height = 64,
                Steps = 4,
                GuidanceScale = 7.5f,
                Seed = i,
            }));
        }

        var start = time.GetTimestamp();
        time.Continue();
        for (var done = 0; done < count;)
        {
            if (await engine.Events.ReadAsync() is EngineEvent.Completed)
                done++;
        }

        return count / time.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>A clock that a timer advances by its due time, at once. While it is held, timers do not fire.</summary>
    sealed class StepTime : TimeProvider
    {
        readonly ManualResetEventSlim running = new(true);
        long ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref ticks);

        public void Hold() => running.Reset();

        public void Continue() => running.Set();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = new StepTimer(this, callback, state);
            timer.Change(dueTime, period);
            return timer;
        }

        sealed class StepTimer(StepTime time, TimerCallback callback, object? state) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                if (dueTime == Timeout.InfiniteTimeSpan)
                    return true;
                time.running.Wait();
                Interlocked.Add(ref time.ticks, dueTime.Ticks);
                callback(state);
                return true;
            }

            public void Dispose() { }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
