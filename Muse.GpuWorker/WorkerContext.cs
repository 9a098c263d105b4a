using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Options;
using Muse.Diffusion;
using Muse.Queue;
using Muse.ServiceDefaults;

namespace Muse.GpuWorker;

/// <summary>
/// The worker's state, shared by its loops: the engine, the images in flight, and whether it is starting, ready or draining.
/// </summary>
sealed class WorkerContext(
    IOptions<WorkerOptions> options,
    IOptions<EngineOptions> engineOptions,
    IOptions<DeviceOptions> deviceOptions,
    TimeProvider time,
    ILoggerFactory loggers) : IAsyncDisposable
{
    readonly ConcurrentDictionary<string, InFlightImage> inFlight = new();
    DiffusionEngine? engine;
    long number, completed;
    double progress;
    int state = (int)WorkerState.Starting;

    public WorkerState State => (WorkerState)Volatile.Read(ref state);
    public DiffusionEngine Engine => engine ?? throw new InvalidOperationException("The model is not open yet.");
    public ModelTraits Model => Engine.Model;
    /// <summary>Whether a call into the model takes longer than <see cref="EngineOptions.StallLimit"/>.</summary>
    public bool IsStalled => engine?.LongestCall > engineOptions.Value.StallLimit;
    public int Slots => engineOptions.Value.MaxBatchSize;
    public DateTimeOffset StartedAt { get; } = time.GetUtcNow();
    public long Completed => Volatile.Read(ref completed);
    /// <summary>
    /// Images completed here. Images in flight count by their share of completed steps, so that the rate is right during the first batch.
    /// </summary>
    public double Progress => Volatile.Read(ref progress);

    /// <summary>All images that this worker holds: in the engine, or on their way to Redis.</summary>
    public ICollection<InFlightImage> InFlight => inFlight.Values;

    /// <summary>Opens the model.</summary>
    /// <exception cref="ModelFolderException">The folder can't be used.</exception>
    /// <exception cref="CannotStartException">The device can't be used.</exception>
    public void Open()
    {
        var folder = ModelLocation.Find(options.Value.Model, AppContext.BaseDirectory, Environment.CurrentDirectory);
        IDiffusionModel model;
        try
        {
            model = DiffusionModels.Open(folder, options.Value.Device, deviceOptions.Value, time,
                loggers.CreateLogger(typeof(DiffusionModels)));
        }
        catch (ArgumentException exception)
        {
            throw new CannotStartException($"Worker:Device (MUSE_GPU_TYPE): {exception.Message.Split(" (Parameter '")[0]}", exception);
        }
        engine = new DiffusionEngine(model, engineOptions.Value, time, loggers.CreateLogger<DiffusionEngine>());
    }

    /// <summary>Moves to a later state; an earlier one is ignored, so that a draining worker never becomes ready.</summary>
    public void TransitionTo(WorkerState next)
    {
        int current;
        do
            current = Volatile.Read(ref state);
        while (current < (int)next && Interlocked.CompareExchange(ref state, (int)next, current) != current);
    }

    /// <summary>Adds a part of an image to <see cref="Progress"/>. Called by one loop only.</summary>
    public void AddProgress(double images) => Volatile.Write(ref progress, progress + images);

    public InFlightImage? Find(string id) => inFlight.GetValueOrDefault(id);

    /// <summary>Adds an image; its span runs until <see cref="Release"/>.</summary>
    /// <param name="item">The image.</param>
    /// <param name="input">The pixels of its job's input, or null.</param>
    /// <exception cref="InvalidDataException">The pixels can't be used.</exception>
    public InFlightImage Add(WorkItem item, InputPixels? input = null)
    {
        var request = RequestMapping.From(item, Model, input);
        var loopSpan = Activity.Current;
        var span = item.StartActivity();
        Activity.Current = loopSpan; // The span belongs to the image, not to the loop that took it.
        var id = $"{item.Id}#{Interlocked.Increment(ref number)}";
        var image = new InFlightImage(id, item, request with { Id = id, TraceContext = span?.Context ?? default }, span);
        inFlight[id] = image;
        return image;
    }

    /// <summary>Removes an image that has ended here.</summary>
    public void Release(InFlightImage image, string outcome)
    {
        if (!inFlight.TryRemove(image.Id, out _))
            return;
        if (outcome == "succeeded")
            Interlocked.Increment(ref completed);
        image.Span?.SetTag("muse.outcome", outcome);
        image.Span?.Dispose();
    }

    public ValueTask DisposeAsync() => engine?.DisposeAsync() ?? ValueTask.CompletedTask;
}
