using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>
/// Generates up to <see cref="EngineOptions.MaxBatchSize"/> images at once. Requests join and leave at every denoising step.
/// </summary>
/// <remarks>
/// A request goes through three threads: one encodes its prompts (<see cref="RequestPreparation"/>), one owns the batch and the denoiser
/// (<see cref="StepLoop"/>), one decodes its latent (<see cref="DecodeLoop"/>). They pass it on by channels; callers send messages and
/// read <see cref="Events"/>.
/// </remarks>
public sealed class DiffusionEngine : IAsyncDisposable
{
    readonly IDiffusionModel model;
    readonly EngineOptions options;
    readonly TimeProvider time;
    readonly ILogger logger;
    readonly ConcurrentDictionary<string, Slot> slots = [];
    readonly SemaphoreSlim freeSlots;
    readonly Channel<EngineEvent> events = Channel.CreateUnbounded<EngineEvent>(new() { SingleReader = true });
    // No channel needs a bound of its own: each request in them occupies a slot, and the number of slots is bounded.
    readonly Channel<Slot> toEncode = Channel.CreateUnbounded<Slot>(new() { SingleReader = true });
    readonly Channel<LoopMessage> toLoop = Channel.CreateUnbounded<LoopMessage>(new() { SingleReader = true });
    readonly Channel<Slot> toDecode = Channel.CreateUnbounded<Slot>(new() { SingleReader = true, SingleWriter = true });
    readonly IReadOnlyList<(int Width, int Height)> warmUpSizes;
    readonly StepLoop loop;
    readonly RequestPreparation preparation;
    readonly DecodeLoop decoder;
    readonly CallTimer stepTimer, decodeTimer, preparationTimer;
    readonly List<Thread> threads = [];
    readonly object decoderGate = new();
    readonly CancellationTokenSource disposing = new();
    readonly Lock gate = new();
    readonly TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    Task warmUp = Task.CompletedTask;
    int running;
    int decoding;
    volatile bool draining;

    /// <summary>Makes the engine; <see cref="StartAsync"/> warms it up and lets it run.</summary>
    /// <param name="model">The model; the engine disposes it.</param>
    /// <param name="options">Batch size, row budget, mode, checkpoints, sizes to warm up.</param>
    /// <param name="time">The clock for batch delays and durations.</param>
    /// <param name="logger">Where it logs.</param>
    /// <exception cref="ArgumentException"><see cref="EngineOptions.WarmUpSizes"/> names a size that the model can't generate.</exception>
    public DiffusionEngine(IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger<DiffusionEngine> logger)
    {
        (this.model, this.options, this.time, this.logger) = (model, options, time, logger);
        warmUpSizes = WarmUpSizes.Read(options.WarmUpSizes, model.Traits);
        freeSlots = new SemaphoreSlim(options.MaxBatchSize);
        (stepTimer, decodeTimer, preparationTimer) = (new(time), new(time), new(time));
        loop = new StepLoop(this, model, options, time, logger, toLoop, stepTimer);
        preparation = new RequestPreparation(model, options, time, logger);
        decoder = new DecodeLoop(this, model, time, logger, decodeTimer);
    }

    /// <summary>What the model can do.</summary>
    public ModelTraits Model => model.Traits;

    /// <summary>How many more requests it accepts now.</summary>
    public int FreeSlots => draining ? 0 : freeSlots.CurrentCount;

    /// <summary>How long the longest call into the model that is in progress has been running; zero when there is none.</summary>
    public TimeSpan LongestCall => new[] { stepTimer.Elapsed, decodeTimer.Elapsed, preparationTimer.Elapsed }.Max();

    /// <summary>What happens to requests, in order for each. Completes after <see cref="DrainAsync"/>.</summary>
    public ChannelReader<EngineEvent> Events => events.Reader;

    /// <summary>Warms the model up at the sizes it will serve (<see cref="EngineOptions.WarmUpSizes"/>), then runs.</summary>
    /// <exception cref="DeviceMemoryException">The device has no memory for one image of such a size.</exception>
    /// <exception cref="OperationCanceledException">The start was cancelled, or the engine was disposed meanwhile.</exception>
    public async Task StartAsync(CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, disposing.Token);
        warmUp = Task.Factory.StartNew(
            () => loop.WarmUp(warmUpSizes, either.Token), either.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await warmUp;
        lock (gate)
        {
            disposing.Token.ThrowIfCancellationRequested();
            running = 3;
            Start("muse encoder", PrepareRequests);
            Start("muse step loop", () =>
            {
                loop.Run();
                toDecode.Writer.TryComplete();
            });
            Start("muse decoder", () => decoder.Run(toDecode.Reader));
        }
    }

    /// <summary>Submits a request. Returns false when no slot is free or the engine drains.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="checkpoint">The state of an <see cref="EngineEvent.Checkpointed"/> or <see cref="EngineEvent.HandedBack"/> to continue
    /// from; one that doesn't fit is logged and the request starts over.</param>
    /// <exception cref="ArgumentException">A request with the same id is in the engine.</exception>
    public bool TrySubmit(GenerationRequest request, ReadOnlyMemory<byte> checkpoint = default)
    {
        if (draining || !freeSlots.Wait(0))
            return false;
        var slot = new Slot(request, checkpoint, time.GetTimestamp());
        if (!slots.TryAdd(request.Id, slot))
        {
            freeSlots.Release();
            throw new ArgumentException($"The request {request.Id} is in the engine already.", nameof(request));
        }
        if (toEncode.Writer.TryWrite(slot))
            return true;
        slots.TryRemove(request.Id, out _);
        freeSlots.Release();
        return false;
    }

    /// <summary>Waits until a slot is free (<see cref="FreeSlots"/> above zero), or the engine drains.</summary>
    public async Task WaitForFreeSlotAsync(CancellationToken cancellation)
    {
        if (draining)
            return;
        await freeSlots.WaitAsync(cancellation);
        freeSlots.Release();
    }

    /// <summary>Removes a request at the next step; it ends as <see cref="EngineEvent.Cancelled"/>. Unknown ids are ignored.</summary>
    public void Cancel(string requestId)
    {
        if (!slots.TryGetValue(requestId, out var slot))
            return;
        slot.Cancel();
        toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.PlanAgain));
    }

    /// <summary>
    /// Accepts no more requests, hands back the others after the step in progress (finished ones still complete), and ends
    /// <see cref="Events"/>.
    /// </summary>
    public Task DrainAsync()
    {
        lock (gate)
        {
            BeginDraining();
            if (threads.Count == 0)
            {
                foreach (var slot in slots.Values)
                    End(slot, new EngineEvent.HandedBack(slot.Request.Id, SlotState.StepOf(slot.Checkpoint.Span), slot.Save()));
                Stop(null);
            }
        }
        return stopped.Task;
    }

    /// <summary>Drains and frees the model.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            if (disposing.IsCancellationRequested)
                return;
            disposing.Cancel();
        }
        // A warm-up that runs uses the model until its call returns; its caller sees how it ended.
        await warmUp.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await DrainAsync();
        foreach (var thread in threads)
            thread.Join();
        model.Dispose();
        disposing.Dispose();
    }

    /// <summary>Whether the decoder has anything to do. Only <see cref="HandToDecoder"/> makes it true.</summary>
    internal bool IsDecoding => Volatile.Read(ref decoding) > 0;

    /// <summary>Waits until the decoder has nothing to do, or the engine drains.</summary>
    internal void WaitForDecoder()
    {
        lock (decoderGate)
        {
            while (decoding > 0 && !draining)
                Monitor.Wait(decoderGate);
        }
    }

    /// <summary>Publishes what happened to a request.</summary>
    internal void Publish(EngineEvent happened) => events.Writer.TryWrite(happened);

    /// <summary>Ends a request with its last event.</summary>
    internal void End(Slot slot, EngineEvent last)
    {
        // The slot is released first: a reader of the last event may submit the next request at once.
        if (slots.TryRemove(slot.Request.Id, out _))
        {
            ReleaseSlot(slot);
            Publish(last);
        }
    }

    /// <summary>
    /// Hands a request whose latent is finished to the decoder. Its slot becomes free, unless a full batch waits for the decoder already.
    /// </summary>
    internal void HandToDecoder(Slot slot)
    {
        int waitingForDecoder;
        lock (decoderGate)
            waitingForDecoder = decoding++;
        if (waitingForDecoder < options.MaxBatchSize)
            ReleaseSlot(slot);
        toDecode.Writer.TryWrite(slot);
    }

    /// <summary>Ends a request at the decoder.</summary>
    internal void EndDecoding(Slot slot, EngineEvent last)
    {
        lock (decoderGate)
        {
            if (--decoding == 0)
                Monitor.PulseAll(decoderGate);
        }
        End(slot, last);
    }

    void BeginDraining()
    {
        // The loop gets the message first. From then on the encoder passes requests on without a latent, which the loop must not run.
        toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.Drain));
        lock (decoderGate)
        {
            draining = true;
            Monitor.PulseAll(decoderGate);
        }
        toEncode.Writer.TryComplete();
    }

    void ReleaseSlot(Slot slot)
    {
        if (!slot.OccupiesSlot)
            return;
        slot.OccupiesSlot = false;
        freeSlots.Release();
    }

    void PrepareRequests()
    {
        foreach (var slot in Receive(toEncode.Reader))
        {
            if (!slot.Aborted && !draining)
            {
                using var call = preparationTimer.Start();
                preparation.Prepare(slot);
            }
            toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.Prepared, slot));
        }
        toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.EncoderEnded));
    }

    void Start(string name, Action run)
    {
        var thread = new Thread(() =>
        {
            try
            {
                run();
                if (Interlocked.Decrement(ref running) == 0)
                    Stop(null);
            }
            catch (Exception e)
            {
                // A defect of the engine itself: every request must still end.
                EngineLog.ThreadFailed(logger, name, e);
                BeginDraining();
                foreach (var slot in slots.Values)
                    End(slot, new EngineEvent.Failed(slot.Request.Id, $"The engine failed: {e.Message}", InvalidRequest: false));
                Stop(e);
            }
        })
        { Name = name, IsBackground = true };
        threads.Add(thread);
        thread.Start();
    }

    void Stop(Exception? failure)
    {
        events.Writer.TryComplete(failure);
        if (failure is null)
            stopped.TrySetResult();
        else
            stopped.TrySetException(failure);
    }

    /// <summary>What arrives on a channel, for a thread that has nothing else to do.</summary>
    internal static IEnumerable<T> Receive<T>(ChannelReader<T> reader)
    {
        while (reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (reader.TryRead(out var item))
                yield return item;
        }
    }
}
