using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>A running engine whose events are collected by request.</summary>
sealed class EngineUnderTest : IAsyncDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

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

    /// <summary>The picture of a request that is to complete.</summary>
    public async Task<byte[]> PictureOf(string id)
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
