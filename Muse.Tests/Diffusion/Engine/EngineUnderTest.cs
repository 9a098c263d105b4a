using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>A running engine whose events are collected by request.</summary>
sealed class EngineUnderTest : IAsyncDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    readonly DiffusionEngine engine;
    readonly Task reading;
    readonly ConcurrentQueue<EngineEvent> events = new();
    readonly ConcurrentDictionary<string, TaskCompletionSource<EngineEvent>> ended = new();
    readonly SemaphoreSlim happened = new(0);

    EngineUnderTest(DiffusionEngine engine)
    {
        this.engine = engine;
        reading = Task.Run(async () =>
        {
            await foreach (var e in engine.Events.ReadAllAsync())
            {
                events.Enqueue(e);
                OnEvent?.Invoke(e);
                if (IsLast(e))
                    ended.GetOrAdd(e.RequestId, NewEnd).TrySetResult(e);
                happened.Release();
            }
        });
    }

    public Action<EngineEvent>? OnEvent { get; set; }

    public DiffusionEngine Engine => engine;

    public IReadOnlyList<EngineEvent> Events => [.. events];

    public IReadOnlyList<EngineEvent> EventsOf(string id) => [.. events.Where(e => e.RequestId == id)];

    public static async Task<EngineUnderTest> StartAsync(IDiffusionModel model, EngineOptions? options = null, TimeProvider? time = null,
        ILogger<DiffusionEngine>? log = null)
    {
        var engine =
            new DiffusionEngine(model, options ?? new EngineOptions(), time ?? TimeProvider.System, log
            ?? NullLogger<DiffusionEngine>.Instance);
        var running = new EngineUnderTest(engine);
        await engine.StartAsync(CancellationToken.None);
        return running;
    }

    public void Submit(GenerationRequest request, ReadOnlyMemory<byte> checkpoint = default) =>
        Assert.True(engine.TrySubmit(request, checkpoint), $"The engine took no {request.Id}.");

    /// <summary>The request's last event.</summary>
    public Task<EngineEvent> EndOf(string id) => ended.GetOrAdd(id, NewEnd).Task.WaitAsync(Limit);

    /// <summary>The image of a request that is to complete.</summary>
    public async Task<byte[]> ImageOf(string id)
    {
        var end = await EndOf(id);
        return Assert.IsType<EngineEvent.Completed>(end).Image.Pixels;
    }

    /// <summary>Waits until an event like this has happened.</summary>
    public async Task<T> Until<T>(Func<T, bool> condition) where T : EngineEvent
    {
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            if (events.OfType<T>().FirstOrDefault(condition) is { } found)
                return found;
            await happened.WaitAsync(limit.Token);
        }
    }

    public async Task DrainAsync()
    {
        await engine.DrainAsync();
        await reading;
    }

    public async ValueTask DisposeAsync()
    {
        await engine.DisposeAsync();
        await reading;
    }

    static TaskCompletionSource<EngineEvent> NewEnd(string _) => new(TaskCreationOptions.RunContinuationsAsynchronously);

    static bool IsLast(EngineEvent e) =>
        e is EngineEvent.Completed or EngineEvent.Failed or EngineEvent.Cancelled or EngineEvent.HandedBack;
}

static class Requests
{
    public static GenerationRequest Of(string id, string? prompt = null, int steps = 8, float guidance = 7.5f, int size = 128,
        string? sampler = null, long? seed = null) => new()
        {
            Id = id,
            Prompt = prompt ?? $"a picture of {id}",
            Width = size,
            Height = size,
            Steps = steps,
            GuidanceScale = guidance,
            Seed = seed ?? id.Sum(c => c),
            Sampler = sampler,
        };
}

static class Inputs
{
    /// <summary>An image of smooth colours.</summary>
    public static ImageInput Of(long seed, int size, double strength, byte[]? mask = null) => new()
    {
        Image = Image(seed, size),
        Mask = mask,
        Strength = strength,
    };

    public static RgbImage Image(long seed, int size)
    {
        var pixels = new byte[3 * size * size];
        for (var i = 0; i < pixels.Length; i++)
        {
            int x = i / 3 % size, y = i / 3 / size;
            pixels[i] = (byte)(128 + 100 * Math.Sin(seed + i % 3 + 7.0 * x / size) * Math.Cos(seed * (1 + i % 3) + 5.0 * y / size));
        }
        return new RgbImage(size, size, pixels);
    }

    /// <summary>A mask that generates a square anew.</summary>
    public static byte[] Square(int size, int from, int to)
    {
        var mask = new byte[size * size];
        for (var y = from; y < to; y++)
            mask.AsSpan(y * size + from, to - from).Fill(255);
        return mask;
    }

    /// <summary>Whether every pixel that a mask keeps is the input's.</summary>
    public static bool Keeps(byte[] pixels, ImageInput input) =>
        input.Mask!.Select((value, i) => value != 0 || pixels.AsSpan(3 * i, 3).SequenceEqual(input.Image.Pixels.AsSpan(3 * i, 3)))
            .All(kept => kept);
}
