using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Options;
using Muse.Diffusion;
using Muse.Queue;
using Muse.ServiceDefaults;

namespace Muse.GpuWorker;

/// <summary>The worker's state, shared by its loops: engine, pictures in work, and whether it is starting, ready or draining.</summary>
sealed class Atelier(IOptions<WorkerOptions> options, IOptions<EngineOptions> engineOptions, IOptions<DeviceOptions> deviceOptions, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable
{
    readonly ConcurrentDictionary<string, Painting> paintings = new();
    DiffusionEngine? engine;
    long number, painted;
    double progress;
    int state = (int)WorkerState.Starting;

    public WorkerState State => (WorkerState)Volatile.Read(ref state);
    public DiffusionEngine Engine => engine ?? throw new InvalidOperationException("The model is not open yet.");
    public ModelTraits Model => Engine.Model;
    public int Slots => engineOptions.Value.MaxBatchSize;
    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();
    public long Painted => Volatile.Read(ref painted);
    /// <summary>Pictures painted here, those in work counted by their share of steps done: a rate taken from it is right from a batch's first second.</summary>
    public double Progress => Volatile.Read(ref progress);

    /// <summary>All pictures that this worker holds: in the engine, or on their way to Redis.</summary>
    public ICollection<Painting> Paintings => paintings.Values;

    /// <summary>Opens the model.</summary>
    /// <exception cref="ModelFolderException">The folder can't be used.</exception>
    /// <exception cref="CannotStartException">The device can't be used.</exception>
    public void Open()
    {
        var folder = ModelFolder.Find(options.Value.Model, AppContext.BaseDirectory, Environment.CurrentDirectory);
        IDiffusionModel model;
        try
        {
            model = DiffusionModels.Open(folder, options.Value.Device, deviceOptions.Value, time, loggers.CreateLogger(typeof(DiffusionModels)));
        }
        catch (ArgumentException problem)
        {
            throw new CannotStartException($"Worker:Device (MUSE_GPU_TYPE): {problem.Message.Split(" (Parameter '")[0]}", problem);
        }
        engine = new DiffusionEngine(model, engineOptions.Value, time, loggers.CreateLogger<DiffusionEngine>());
    }

    public void Become(WorkerState next)
    {
        // Never back from draining.
        int was;
        do
            was = Volatile.Read(ref state);
        while (was < (int)next && Interlocked.CompareExchange(ref state, (int)next, was) != was);
    }

    /// <summary>Counts a part of a picture. Called by one loop only.</summary>
    public void Count(double pictures) => Volatile.Write(ref progress, progress + pictures);

    public Painting? Find(string id) => paintings.GetValueOrDefault(id);

    /// <summary>Takes a picture in work; its span runs until <see cref="Release"/>.</summary>
    public Painting Take(WorkItem item)
    {
        var before = Activity.Current;
        var span = item.StartActivity();
        Activity.Current = before; // It lives with the picture, not with the loop that took it.
        var id = $"{item.Id}#{Interlocked.Increment(ref number)}";
        var painting = new Painting(id, item, PaintingRequest.From(item, Model) with { Id = id, TraceContext = span?.Context ?? default }, span);
        paintings[id] = painting;
        return painting;
    }

    /// <summary>Lets go of a picture that has ended here.</summary>
    public void Release(Painting painting, string how)
    {
        if (!paintings.TryRemove(painting.Id, out _))
            return;
        if (how == "succeeded")
            Interlocked.Increment(ref painted);
        painting.Span?.SetTag("muse.outcome", how);
        painting.Span?.Dispose();
    }

    public ValueTask DisposeAsync() => engine?.DisposeAsync() ?? ValueTask.CompletedTask;
}
