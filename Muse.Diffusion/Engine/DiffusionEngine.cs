using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>Paints up to <see cref="EngineOptions.MaxBatchSize"/> requests at once; they join and leave at every denoising step.</summary>
/// <remarks>
/// A request goes through three threads: one encodes its prompts, one (<see cref="StepLoop"/>) owns the batch and the
/// denoiser, one decodes its latent. They hand it on by channels; everyone else sends messages and reads <see cref="Events"/>.
/// </remarks>
public sealed class DiffusionEngine : IAsyncDisposable
{
    readonly IDiffusionModel _model;
    readonly EngineOptions _options;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly ConcurrentDictionary<string, Slot> _slots = [];
    readonly SemaphoreSlim _room;
    readonly Channel<EngineEvent> _events = Channel.CreateUnbounded<EngineEvent>(new() { SingleReader = true });
    // No channel here needs a bound of its own: what goes through them takes room, and room is bounded.
    readonly Channel<Slot> _toEncode = Channel.CreateUnbounded<Slot>(new() { SingleReader = true });
    readonly Channel<LoopMessage> _toLoop = Channel.CreateUnbounded<LoopMessage>(new() { SingleReader = true });
    readonly Channel<Slot> _toDecode = Channel.CreateUnbounded<Slot>(new() { SingleReader = true, SingleWriter = true });
    readonly StepLoop _loop;
    readonly PromptEncoder _encoder;
    readonly PictureDecoder _decoder;
    readonly List<Thread> _threads = [];
    readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int _running;
    int _decoding;
    volatile bool _draining;
    bool _disposed;

    /// <summary>Makes the engine; <see cref="StartAsync"/> warms it up and lets it run.</summary>
    /// <param name="model">The model to paint with; the engine disposes it.</param>
    /// <param name="options">Batch size, row budget, mode, checkpoints.</param>
    /// <param name="time">The clock for batch delays and durations.</param>
    /// <param name="logger">Where it tells what it does.</param>
    public DiffusionEngine(IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger<DiffusionEngine> logger)
    {
        (_model, _options, _time, _logger) = (model, options, time, logger);
        _room = new SemaphoreSlim(options.MaxBatchSize);
        _loop = new StepLoop(this, model, options, time, logger, _toLoop);
        _encoder = new PromptEncoder(model, options, time, logger);
        _decoder = new PictureDecoder(this, model, time, logger);
    }

    /// <summary>What the model can do.</summary>
    public ModelTraits Model => _model.Traits;

    /// <summary>How many more requests it would take now.</summary>
    public int FreeSlots => _draining ? 0 : _room.CurrentCount;

    /// <summary>What happens to requests, in order for each. Completes after <see cref="DrainAsync"/>.</summary>
    public ChannelReader<EngineEvent> Events => _events.Reader;

    /// <summary>Warms the model up at the sizes it will serve, then runs.</summary>
    public async Task StartAsync(CancellationToken cancellation)
    {
        await Task.Factory.StartNew(() => _loop.WarmUp(cancellation), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        _running = 3;
        Start("muse encoder", () =>
        {
            foreach (var slot in Receive(_toEncode.Reader))
            {
                if (!slot.Cancelled && !_draining)
                    _encoder.Encode(slot);
                _toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.Encoded, slot));
            }
            _toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.NoMore, null));
        });
        Start("muse engine", () =>
        {
            _loop.Run();
            _toDecode.Writer.TryComplete();
        });
        Start("muse decoder", () => _decoder.Run(_toDecode.Reader));
    }

    /// <summary>Gives it a request; false when it has no free slot or drains.</summary>
    /// <param name="request">What to paint.</param>
    /// <param name="checkpoint">The state of an <see cref="EngineEvent.Checkpointed"/> or <see cref="EngineEvent.HandedBack"/> to go on from; one that doesn't fit is logged and the request starts over.</param>
    /// <exception cref="ArgumentException">A request with the same id is in the engine.</exception>
    public bool TrySubmit(GenerationRequest request, ReadOnlyMemory<byte> checkpoint = default)
    {
        if (_draining || !_room.Wait(0))
            return false;
        var slot = new Slot(request, checkpoint, _time.GetTimestamp());
        if (!_slots.TryAdd(request.Id, slot))
        {
            _room.Release();
            throw new ArgumentException($"The request {request.Id} is in the engine already.", nameof(request));
        }
        if (_toEncode.Writer.TryWrite(slot))
            return true;
        _slots.TryRemove(request.Id, out _);
        _room.Release();
        return false;
    }

    /// <summary>Waits until it would take a request (<see cref="FreeSlots"/> above zero), or drains.</summary>
    public async Task WaitForRoomAsync(CancellationToken cancellation)
    {
        if (_draining)
            return;
        await _room.WaitAsync(cancellation);
        _room.Release();
    }

    /// <summary>Takes a request out at the next step; it ends as <see cref="EngineEvent.Cancelled"/>. Unknown ids are ignored.</summary>
    public void Cancel(string requestId)
    {
        if (!_slots.TryGetValue(requestId, out var slot))
            return;
        slot.Cancel();
        _toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.LookAgain, null));
    }

    /// <summary>Takes no more requests, hands back those it has after the step in progress (finished ones still complete), and ends <see cref="Events"/>.</summary>
    public Task DrainAsync()
    {
        _draining = true;
        _toEncode.Writer.TryComplete();
        _toLoop.Writer.TryWrite(new LoopMessage(LoopMessageKind.Drain, null));
        if (_threads.Count == 0)
        {
            foreach (var slot in _slots.Values)
                End(slot, new EngineEvent.HandedBack(slot.Request.Id, SlotState.StepOf(slot.Checkpoint.Span), slot.Save()));
            Stop(null);
        }
        return _stopped.Task;
    }

    /// <summary>Drains and frees the model.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await DrainAsync();
        foreach (var thread in _threads)
            thread.Join();
        _model.Dispose();
    }

    /// <summary>Tells of something that happened to a request that stays.</summary>
    internal void Tell(EngineEvent happened) => _events.Writer.TryWrite(happened);

    /// <summary>Ends a request with its last event.</summary>
    internal void End(Slot slot, EngineEvent last)
    {
        // Room first: whoever reads the last event may submit the next request at once.
        if (_slots.TryRemove(slot.Request.Id, out _))
        {
            FreeRoom(slot);
            Tell(last);
        }
    }

    /// <summary>Hands a request whose latent is finished to the decoder. It takes up room no longer, unless the decoder is far behind.</summary>
    internal void HandToDecoder(Slot slot)
    {
        if (Interlocked.Increment(ref _decoding) <= _options.MaxBatchSize)
            FreeRoom(slot);
        _toDecode.Writer.TryWrite(slot);
    }

    /// <summary>Ends a request at the decoder.</summary>
    internal void EndDecoding(Slot slot, EngineEvent last)
    {
        Interlocked.Decrement(ref _decoding);
        End(slot, last);
    }

    void FreeRoom(Slot slot)
    {
        if (!slot.TakesRoom)
            return;
        slot.TakesRoom = false;
        _room.Release();
    }

    void Start(string name, Action run)
    {
        var thread = new Thread(() =>
        {
            try
            {
                run();
                if (Interlocked.Decrement(ref _running) == 0)
                    Stop(null);
            }
            catch (Exception e)
            {
                // A defect of the engine itself: nobody must wait for it in vain.
                EngineLog.Broken(_logger, name, e);
                _draining = true;
                _toEncode.Writer.TryComplete();
                foreach (var slot in _slots.Values)
                    End(slot, new EngineEvent.Failed(slot.Request.Id, $"The engine broke down: {e.Message}", InvalidRequest: false));
                Stop(e);
            }
        })
        { Name = name, IsBackground = true };
        _threads.Add(thread);
        thread.Start();
    }

    void Stop(Exception? failure)
    {
        _events.Writer.TryComplete(failure);
        if (failure is null)
            _stopped.TrySetResult();
        else
            _stopped.TrySetException(failure);
    }

    /// <summary>What arrives on a channel, for a thread that has nothing else to do.</summary>
    internal static IEnumerable<T> Receive<T>(ChannelReader<T> reader)
    {
        while (reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            while (reader.TryRead(out var item))
                yield return item;
    }
}
