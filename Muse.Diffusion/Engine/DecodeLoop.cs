using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>Decodes finished latents into images. Several that are ready are decoded in one call where that is faster.</summary>
sealed class DecodeLoop(DiffusionEngine engine, IDiffusionModel model, TimeProvider time, ILogger logger, CallTimer timer)
{
    readonly List<Slot> ready = [];
    int maxTogether = model.DecodeBatch;

    public void Run(ChannelReader<Slot> finished)
    {
        while (ready.Count > 0 || finished.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (finished.TryRead(out var slot))
                ready.Add(slot);
            var together = TakeTogether();
            if (together.Count > 0)
                Decode(together);
        }
    }

    List<Slot> TakeTogether()
    {
        var together = new List<Slot>();
        for (var i = 0; i < ready.Count && together.Count < maxTogether; i++)
        {
            var slot = ready[i];
            if (slot.Aborted)
                engine.EndDecoding(slot, new EngineEvent.Cancelled(slot.Request.Id));
            else if (together.Count == 0 || together[0].Shape == slot.Shape)
                together.Add(slot);
            else
                continue;
            ready.RemoveAt(i--);
        }
        return together;
    }

    void Decode(List<Slot> slots)
    {
        var spans = new List<Activity?>(slots.Count);
        foreach (var slot in slots)
            spans.Add(EngineTelemetry.StartForRequest("decode", slot.Request));
        var started = time.GetTimestamp();
        Exception? failure = null;
        try
        {
            RgbImage[] images;
            using (timer.Start())
                images = model.Decode(slots[0].Shape, slots.ConvertAll(slot => slot.Latent));
            // All are finished before the first completes, because after an exception all are decoded again.
            var finished = slots.Select((slot, i) => Finish(slot, images[i])).ToList();
            for (var i = 0; i < slots.Count; i++)
                Complete(slots[i], finished[i].Image, finished[i].Flagged);
        }
        catch (Exception e) when (slots.Count > 1)
        {
            // Either there is too little memory for all, or one of them fails: each is decoded by itself.
            if (e is DeviceMemoryException)
            {
                maxTogether = slots.Count / 2;
                EngineLog.DecodeHalved(logger, slots.Count, maxTogether);
            }
            failure = e;
            foreach (var slot in slots)
                Decode([slot]);
        }
        catch (Exception e)
        {
            failure = e;
            EngineLog.Failed(logger, slots[0].Request.Id, e);
            var message = $"The image could not be decoded: {e.Message}";
            engine.EndDecoding(slots[0], new EngineEvent.Failed(slots[0].Request.Id, message, InvalidRequest: false));
        }
        EngineTelemetry.DecodeDuration.Record(time.GetElapsedTime(started).TotalSeconds);
        foreach (var span in spans)
            EngineTelemetry.End(span, failure);
    }

    // The safety checker sees what is delivered: the generated part together with what a mask keeps.
    (RgbImage Image, bool Flagged) Finish(Slot slot, RgbImage image)
    {
        if (slot.Request.Input is { Mask: { } mask } input)
            image = ImageComposite.Compose(image, input.Image, mask);
        return model.IsFlagged(image) ? (image with { Pixels = new byte[image.Pixels.Length] }, true) : (image, false);
    }

    void Complete(Slot slot, RgbImage image, bool flagged) => engine.EndDecoding(slot,
        new EngineEvent.Completed(slot.Request.Id, slot.Steps, image, slot.Positive.CutOff ?? slot.Negative?.CutOff, flagged));
}
