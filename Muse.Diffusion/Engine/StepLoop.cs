using System.Diagnostics;
using System.Numerics.Tensors;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

enum LoopMessageKind
{
    /// <summary>A request comes from the encoder.</summary>
    Encoded,
    /// <summary>Something about a request has changed, or a moment that was waited for has come.</summary>
    LookAgain,
    /// <summary>Hand everything back.</summary>
    Drain,
    /// <summary>The encoder has sent its last request.</summary>
    NoMore,
}

readonly record struct LoopMessage(LoopMessageKind Kind, Slot? Slot);

/// <summary>The engine's heart: owns the batch and the denoiser, and takes one step after another.</summary>
sealed class StepLoop
{
    readonly DiffusionEngine _engine;
    readonly IDiffusionModel _model;
    readonly EngineOptions _options;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly Channel<LoopMessage> _messages;
    readonly Batcher<Slot> _batcher;
    readonly List<Slot> _alone = new(1);
    readonly long _epoch;
    ITimer? _alarm;
    float[] _guided = [];
    Activity? _batchSpan;
    int _batchSteps;
    bool _draining;
    bool _noMore;

    public StepLoop(DiffusionEngine engine, IDiffusionModel model, EngineOptions options, TimeProvider time, ILogger logger, Channel<LoopMessage> messages)
    {
        (_engine, _model, _options, _time, _logger, _messages) = (engine, model, options, time, logger, messages);
        _batcher = new Batcher<Slot>(options.MaxBatchSize, options.MaxRows, options.Mode, options.BatchDelay, !model.TimestepPerRow);
        _epoch = time.GetTimestamp();
    }

    /// <summary>Runs everything once at the default size, with ever more rows, so that the first request pays for nothing.</summary>
    public void WarmUp(CancellationToken cancellation)
    {
        if (!_model.TimestepPerRow)
            EngineLog.EqualTimesteps(_logger, _model.Traits.Name);
        new WarmUp(_model, _options, _time, _logger).Run(_batcher, cancellation);
    }

    /// <summary>Takes steps until it is drained.</summary>
    public void Run()
    {
        while (true)
        {
            Receive();
            if (_draining)
            {
                HandBackAll();
                if (_noMore)
                    break;
                WaitForMessage(null);
                continue;
            }
            var plan = _batcher.Plan(_time.GetElapsedTime(_epoch));
            Release(plan);
            Admit(plan);
            if (plan.Running.Count > 0)
                Step(plan);
            else
                WaitForMessage(plan.WakeAt);
        }
        EndBatchSpan();
        _alarm?.Dispose();
    }

    void Receive()
    {
        while (_messages.Reader.TryRead(out var message))
        {
            if (message.Kind == LoopMessageKind.Encoded)
                _batcher.Add(message.Slot!, _time.GetElapsedTime(_epoch));
            else if (message.Kind == LoopMessageKind.Drain)
                _draining = true;
            else if (message.Kind == LoopMessageKind.NoMore)
                _noMore = true;
        }
    }

    void WaitForMessage(TimeSpan? wakeAt)
    {
        if (wakeAt is { } at)
        {
            var delay = at - _time.GetElapsedTime(_epoch);
            if (delay <= TimeSpan.Zero)
                return;
            _alarm ??= _time.CreateTimer(_ => _messages.Writer.TryWrite(new LoopMessage(LoopMessageKind.LookAgain, null)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _alarm.Change(delay, Timeout.InfiniteTimeSpan);
        }
        _messages.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
    }

    void Release(StepPlan<Slot> plan)
    {
        if (plan.Left.Count + plan.Released.Count + plan.Joined.Count > 0)
            EndBatchSpan();
        foreach (var slot in plan.Left)
        {
            EngineTelemetry.End(slot.Span, slot.Failure);
            _engine.End(slot, slot.Failure is { } failure ? Failed(slot, failure) : new EngineEvent.Cancelled(slot.Request.Id));
        }
        foreach (var slot in plan.Released)
        {
            EngineTelemetry.End(slot.Span);
            _engine.HandToDecoder(slot);
        }
    }

    EngineEvent.Failed Failed(Slot slot, Exception failure)
    {
        EngineLog.Failed(_logger, slot.Request.Id, failure);
        return new EngineEvent.Failed(slot.Request.Id, failure.Message, InvalidRequest: false);
    }

    void Admit(StepPlan<Slot> plan)
    {
        foreach (var slot in plan.Joined)
        {
            slot.Span = EngineTelemetry.StartForRequest("denoise", slot.Request);
            EngineTelemetry.JoinDelay.Record(_time.GetElapsedTime(slot.SubmittedAt).TotalSeconds);
            _engine.Tell(new EngineEvent.Joined(slot.Request.Id, slot.Place, slot.Step, slot.Plan.Steps));
        }
        if (_batchSpan is null && _batcher.Members.Count > 0)
            _batchSpan = EngineTelemetry.StartForBatch(_batcher.Members);
    }

    void Step(StepPlan<Slot> plan)
    {
        long started = _time.GetTimestamp();
        try
        {
            Evaluate(plan.Running, plan.Rows);
        }
        catch (DeviceMemoryException e)
        {
            MakeDoWithLess(plan.Running, plan.Rows, e);
        }
        catch (Exception e) when (plan.Running.Count > 1)
        {
            EngineLog.StepFailed(_logger, plan.Running.Count, e);
            foreach (var slot in plan.Running)
                EvaluateAlone(slot);
        }
        catch (Exception e)
        {
            plan.Running[0].Failure = e;
        }
        _batchSteps++;
        EngineTelemetry.BatchSize.Record(plan.Running.Count);
        EngineTelemetry.BatchRows.Record(plan.Rows);
        EngineTelemetry.StepDuration.Record(_time.GetElapsedTime(started).TotalSeconds);
    }

    void Evaluate(List<Slot> slots, int rows)
    {
        var batch = _model.Batch(slots[0].Shape, slots[0].Key.Tokens, rows);
        Gather(slots, batch);
        batch.Run();
        Scatter(slots, batch);
    }

    void EvaluateAlone(Slot slot)
    {
        _alone.Clear();
        _alone.Add(slot);
        try
        {
            Evaluate(_alone, slot.Rows);
        }
        catch (Exception e)
        {
            slot.Failure = e;
        }
    }

    // The next plan tries again with fewer; a request that does not fit alone fails alone.
    void MakeDoWithLess(List<Slot> slots, int rows, DeviceMemoryException e)
    {
        EngineTelemetry.MemoryExhausted.Add(1);
        var request = slots[0].Request;
        if (slots.Count > 1)
            EngineLog.RowsHalved(_logger, rows, request.Width, request.Height, _batcher.Halve(request.Width, request.Height, rows));
        else
            slots[0].Failure = new DeviceMemoryException($"A picture of {request.Width}x{request.Height} needs more memory than the device has.", e);
    }

    static void Gather(List<Slot> slots, DenoiserBatch batch)
    {
        int row = 0;
        foreach (var slot in slots)
        {
            var input = batch.Input(row);
            slot.Sampler.ScaleModelInput(slot.Plan, slot.Evaluation, slot.Latent, input);
            if (slot.Negative is not null)
            {
                input.CopyTo(batch.Input(row + 1));
                batch.SetCondition(row++, Condition(slot, slot.Negative));
            }
            batch.SetCondition(row++, Condition(slot, slot.Positive));
        }
    }

    static RowCondition Condition(Slot slot, PromptEmbedding embedding) =>
        new(slot.Timestep, embedding, slot.Request.GuidanceScale, slot.Request.Width, slot.Request.Height);

    void Scatter(List<Slot> slots, DenoiserBatch batch)
    {
        int row = 0;
        foreach (var slot in slots)
        {
            try
            {
                var prediction = batch.Output(row);
                if (slot.Negative is not null)
                    prediction = Guide(prediction, batch.Output(row + 1), slot.Request.GuidanceScale);
                Advance(slot, prediction);
            }
            catch (Exception e)
            {
                slot.Failure = e;
            }
            row += slot.Rows;
        }
    }

    // Classifier-free guidance (Ho and Salimans, https://arxiv.org/abs/2207.12598): away from the negative prompt.
    ReadOnlySpan<float> Guide(ReadOnlySpan<float> negative, ReadOnlySpan<float> positive, float scale)
    {
        if (_guided.Length < positive.Length)
            _guided = new float[positive.Length];
        var guided = _guided.AsSpan(0, positive.Length);
        TensorPrimitives.Subtract(positive, negative, guided);
        TensorPrimitives.MultiplyAdd(guided, scale, negative, guided);
        return guided;
    }

    void Advance(Slot slot, ReadOnlySpan<float> prediction)
    {
        var request = slot.Request;
        int before = slot.Step, after = slot.StepAfter(slot.Evaluation + 1);
        slot.Sampler.Step(slot.Plan, slot.Evaluation, prediction, slot.Latent, slot.History, slot.Noise);
        slot.Evaluation++;
        if (after == before)
            return;
        _engine.Tell(new EngineEvent.Stepped(request.Id, after, slot.Plan.Steps));
        if (slot.Finished)
            return;
        if (WantsPreview(request, before, after))
            _engine.Tell(new EngineEvent.Previewed(request.Id, after, slot.Plan.Steps, _model.Preview(slot.Shape, slot.Latent)));
        if (_options.CheckpointEvery > 0 && after / _options.CheckpointEvery > before / _options.CheckpointEvery)
            _engine.Tell(new EngineEvent.Checkpointed(request.Id, after, slot.Save()));
    }

    static bool WantsPreview(GenerationRequest request, int before, int after) =>
        request.Previews > 0 && after * (request.Previews + 1) / request.Steps > before * (request.Previews + 1) / request.Steps;

    void HandBackAll()
    {
        HandBack(_batcher.Members);
        HandBack(_batcher.Waiting);
    }

    void HandBack(IReadOnlyList<Slot> slots)
    {
        while (slots.Count > 0)
        {
            var slot = slots[0];
            _batcher.Remove(slot);
            EngineTelemetry.End(slot.Span, slot.Failure);
            if (slot.Failure is { } failure)
                _engine.End(slot, Failed(slot, failure));
            else if (slot.Cancelled)
                _engine.End(slot, new EngineEvent.Cancelled(slot.Request.Id));
            else if (slot.Ready && slot.Finished)
                _engine.HandToDecoder(slot);
            else
                _engine.End(slot, new EngineEvent.HandedBack(slot.Request.Id, slot.Ready ? slot.Step : SlotState.StepOf(slot.Checkpoint.Span), slot.Save()));
        }
    }

    void EndBatchSpan()
    {
        _batchSpan?.SetTag("muse.batch.steps", _batchSteps);
        EngineTelemetry.End(_batchSpan);
        _batchSpan = null;
        _batchSteps = 0;
    }
}
