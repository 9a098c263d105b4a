using System.Diagnostics;
using System.Numerics.Tensors;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>
/// Owns the batch and the denoiser, and runs one step after another: plan → release → admit → gather → denoise → scatter.
/// </summary>
sealed class StepLoop
{
    readonly DiffusionEngine engine;
    readonly IDiffusionModel model;
    readonly EngineOptions options;
    readonly TimeProvider time;
    readonly ILogger logger;
    readonly Channel<LoopMessage> messages;
    readonly CallTimer timer;
    readonly Batcher<Slot> batcher;
    readonly List<Slot> alone = new(1);
    readonly long epoch;
    ITimer? wakeTimer;
    float[] guided = [], x0 = [];
    Activity? batchSpan;
    int batchSteps;
    bool draining;
    bool encoderEnded;

    public StepLoop(
        DiffusionEngine engine,
        IDiffusionModel model,
        EngineOptions options,
        TimeProvider time,
        ILogger logger,
        Channel<LoopMessage> messages,
        CallTimer timer)
    {
        (this.engine, this.model, this.options) = (engine, model, options);
        (this.time, this.logger, this.messages, this.timer) = (time, logger, messages, timer);
        batcher = new Batcher<Slot>(options.MaxBatchSize, options.MaxRows, options.Mode, options.BatchDelay, !model.TimestepPerRow);
        epoch = time.GetTimestamp();
    }

    /// <summary>Runs the model once at each size that it will serve, so that no request waits for the device to prepare.</summary>
    public void WarmUp(IReadOnlyList<(int Width, int Height)> sizes, CancellationToken cancellation)
    {
        if (!model.TimestepPerRow)
            EngineLog.EqualTimesteps(logger, model.Traits.Name);
        new WarmUp(model, options, time, logger).Run(sizes, batcher, cancellation);
    }

    /// <summary>Runs steps until the engine is drained.</summary>
    public void Run()
    {
        while (true)
        {
            Receive();
            if (draining)
            {
                HandBackAll();
                if (encoderEnded)
                    break;
                WaitForMessage(null);
                continue;
            }
            batcher.StepsPerTurn = model.StepsPerTurn;
            var plan = batcher.Plan(time.GetElapsedTime(epoch));
            Release(plan);
            Admit(plan);
            if (plan.Running.Count > 0)
                Step(plan);
            else
                WaitForMessage(plan.WakeAt);
        }
        EndBatchSpan();
        wakeTimer?.Dispose();
    }

    void Receive()
    {
        while (messages.Reader.TryRead(out var message))
        {
            if (message.Kind == LoopMessageKind.Prepared)
                batcher.Add(message.Slot!, time.GetElapsedTime(epoch));
            else if (message.Kind == LoopMessageKind.Drain)
                draining = true;
            else if (message.Kind == LoopMessageKind.EncoderEnded)
                encoderEnded = true;
        }
    }

    void WaitForMessage(TimeSpan? wakeAt)
    {
        if (wakeAt is { } at)
        {
            var delay = at - time.GetElapsedTime(epoch);
            if (delay <= TimeSpan.Zero)
                return;
            wakeTimer ??= time.CreateTimer(
                _ => messages.Writer.TryWrite(new(LoopMessageKind.PlanAgain)), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            wakeTimer.Change(delay, Timeout.InfiniteTimeSpan);
        }
        messages.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
    }

    // Releases the slots that the last step finished, and those that were cancelled or failed since.
    void Release(StepPlan<Slot> plan)
    {
        if (plan.Aborted.Count + plan.Finished.Count + plan.Joined.Count > 0)
            EndBatchSpan();
        foreach (var slot in plan.Aborted)
        {
            EngineTelemetry.End(slot.Span, slot.Failure);
            engine.End(slot, slot.Failure is { } failure ? Failed(slot, failure) : new EngineEvent.Cancelled(slot.Request.Id));
        }
        foreach (var slot in plan.Finished)
        {
            EngineTelemetry.End(slot.Span);
            engine.HandToDecoder(slot);
        }
    }

    EngineEvent.Failed Failed(Slot slot, Exception failure)
    {
        EngineLog.Failed(logger, slot.Request.Id, failure);
        return new EngineEvent.Failed(slot.Request.Id, failure.Message, InvalidRequest: false);
    }

    void Admit(StepPlan<Slot> plan)
    {
        foreach (var slot in plan.Joined)
        {
            slot.Span = EngineTelemetry.StartForRequest("denoise", slot.Request);
            EngineTelemetry.JoinDelay.Record(time.GetElapsedTime(slot.SubmittedAt).TotalSeconds);
            engine.Publish(new EngineEvent.Joined(slot.Request.Id, slot.SlotIndex, slot.Step, slot.Steps));
        }
        if (batchSpan is null && batcher.Members.Count > 0)
            batchSpan = EngineTelemetry.StartForBatch(batcher.Members);
    }

    void Step(StepPlan<Slot> plan)
    {
        var started = time.GetTimestamp();
        // Only this thread hands requests to the decoder, so an idle decoder stays idle during the step.
        var besideDecoder = engine.IsDecoding;
        try
        {
            Evaluate(plan.Running, plan.Rows);
        }
        catch (DeviceMemoryException e)
        {
            OnOutOfMemory(plan.Running, plan.Rows, e, besideDecoder);
        }
        catch (Exception e) when (plan.Running.Count > 1)
        {
            EngineLog.StepFailed(logger, plan.Running.Count, e);
            foreach (var slot in plan.Running)
                EvaluateAlone(slot);
        }
        catch (Exception e)
        {
            plan.Running[0].Failure = e;
        }
        batchSteps++;
        EngineTelemetry.BatchSize.Record(plan.Running.Count);
        EngineTelemetry.StepDuration.Record(time.GetElapsedTime(started).TotalSeconds);
    }

    void Evaluate(List<Slot> slots, int rows)
    {
        var batch = model.PrepareBatch(slots[0].Shape, slots[0].Key.Conditioning, rows);
        Gather(slots, batch);
        using (timer.Start())
            batch.Run();
        EngineTelemetry.BatchRows.Record(rows);
        EngineTelemetry.BatchPadding.Record(batch.RowsRun - rows);
        Scatter(slots, batch);
    }

    void EvaluateAlone(Slot slot)
    {
        alone.Clear();
        alone.Add(slot);
        try
        {
            Evaluate(alone, slot.Rows);
        }
        catch (Exception e)
        {
            slot.Failure = e;
        }
    }

    // The next plan tries again with fewer rows. A request that does not fit by itself fails.
    void OnOutOfMemory(List<Slot> slots, int rows, DeviceMemoryException e, bool besideDecoder)
    {
        EngineTelemetry.MemoryExhausted.Add(1);
        var request = slots[0].Request;
        if (e.RowsRun > rows)
            return; // The padding did not fit; the next try has less padding.
        if (slots.Count > 1)
        {
            EngineLog.RowsHalved(logger, rows, request.Width, request.Height, batcher.HalveRowLimit(request.Width, request.Height, rows));
        }
        else if (besideDecoder)
        {
            EngineLog.WaitingForDecoder(logger, rows, request.Width, request.Height);
            engine.WaitForDecoder();
        }
        else
        {
            var message = $"An image of {request.Width}x{request.Height} needs more memory than the device has.";
            slots[0].Failure = new DeviceMemoryException(message, e);
        }
    }

    static void Gather(List<Slot> slots, DenoiserBatch batch)
    {
        var row = 0;
        foreach (var slot in slots)
        {
            var input = batch.Input(row);
            slot.Sampler.ScaleModelInput(slot.Plan, slot.Evaluation, slot.Latent, input);
            if (slot.Guided)
            {
                input.CopyTo(batch.Input(row + 1));
                batch.SetCondition(row++, Condition(slot, slot.Negative!));
            }
            batch.SetCondition(row++, Condition(slot, slot.Positive));
        }
    }

    static RowCondition Condition(Slot slot, Conditioning conditioning)
    {
        var request = slot.Request;
        return new(slot.Timestep, conditioning, request.GuidanceScale, request.Width, request.Height)
        {
            ImageChannels = slot.ImageChannels,
        };
    }

    void Scatter(List<Slot> slots, DenoiserBatch batch)
    {
        var row = 0;
        foreach (var slot in slots)
        {
            var rows = slot.Rows;
            try
            {
                var prediction = batch.Output(row);
                if (slot.Guided)
                    prediction = Guide(prediction, batch.Output(row + 1), slot.Request.GuidanceScale);
                Advance(slot, prediction);
            }
            catch (Exception e)
            {
                slot.Failure = e;
            }
            row += rows;
        }
    }

    // Classifier-free guidance (Ho and Salimans, https://arxiv.org/abs/2207.12598): away from the negative prompt.
    ReadOnlySpan<float> Guide(ReadOnlySpan<float> negative, ReadOnlySpan<float> positive, float scale)
    {
        if (guided.Length < positive.Length)
            guided = new float[positive.Length];
        var prediction = guided.AsSpan(0, positive.Length);
        TensorPrimitives.Subtract(positive, negative, prediction);
        TensorPrimitives.MultiplyAdd(prediction, scale, negative, prediction);
        return prediction;
    }

    void Advance(Slot slot, ReadOnlySpan<float> prediction)
    {
        var request = slot.Request;
        int before = slot.Step, after = slot.StepBefore(slot.Evaluation + 1);
        var preview = after > before && after < slot.Steps && WantsPreview(slot, before, after) ? Preview(slot, prediction) : null;
        slot.Sampler.Step(slot.Plan, slot.Evaluation, prediction, slot.Latent, slot.History, slot.Noise);
        slot.Kept?.Restore(slot.Sampler, slot.Plan, slot.Evaluation, slot.Latent);
        if (!TensorPrimitives.IsFiniteAll<float>(slot.Latent))
        {
            throw new NotFiniteNumberException($"The model gave values that are not numbers at step {before + 1}; "
                + "a half-precision model may need another sampler or guidance scale.");
        }

        slot.Evaluation++;
        if (after == before)
            return;
        engine.Publish(new EngineEvent.Stepped(request.Id, after, slot.Steps));
        if (slot.Finished)
            return;
        if (preview is not null)
            engine.Publish(new EngineEvent.Previewed(request.Id, after, slot.Steps, preview));
        if (options.CheckpointEvery > 0 && after / options.CheckpointEvery > before / options.CheckpointEvery)
            engine.Publish(new EngineEvent.Checkpointed(request.Id, after, slot.Save()));
    }

    // A preview shows the predicted clean latent: the latent itself is mostly noise for half of the steps.
    RgbImage Preview(Slot slot, ReadOnlySpan<float> prediction)
    {
        if (x0.Length < prediction.Length)
            x0 = new float[prediction.Length];
        var predicted = x0.AsSpan(0, prediction.Length);
        slot.Sampler.PredictX0(slot.Plan, slot.Evaluation, prediction, slot.Latent, predicted);
        slot.Kept?.RestoreClean(predicted);
        return model.Preview(slot.Shape, predicted);
    }

    static bool WantsPreview(Slot slot, int before, int after) => slot.Request.Previews > 0
        && after * (slot.Request.Previews + 1) / slot.Steps > before * (slot.Request.Previews + 1) / slot.Steps;

    void HandBackAll()
    {
        HandBack(batcher.Members);
        HandBack(batcher.Waiting);
    }

    void HandBack(IReadOnlyList<Slot> slots)
    {
        while (slots.Count > 0)
        {
            var slot = slots[0];
            batcher.Remove(slot);
            EngineTelemetry.End(slot.Span, slot.Failure);
            if (slot.Ready && slot.Finished && !slot.Aborted)
            {
                engine.HandToDecoder(slot);
                continue;
            }
            var step = slot.Ready ? slot.Step : SlotState.StepOf(slot.Checkpoint.Span);
            EngineEvent last = slot.Failure is { } failure ? Failed(slot, failure)
                : slot.Aborted ? new EngineEvent.Cancelled(slot.Request.Id)
                : new EngineEvent.HandedBack(slot.Request.Id, step, slot.Save());
            engine.End(slot, last);
        }
    }

    void EndBatchSpan()
    {
        batchSpan?.SetTag("muse.batch.steps", batchSteps);
        EngineTelemetry.End(batchSpan);
        batchSpan = null;
        batchSteps = 0;
    }
}
