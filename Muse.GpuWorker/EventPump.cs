using System.Collections.Concurrent;
using System.Diagnostics;
using CommunityToolkit.HighPerformance.Buffers;
using Microsoft.Extensions.Options;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Writes the engine's events to Redis. Each image is encoded and stored in a task of its own.</summary>
sealed class EventPump(
    WorkerContext context,
    WorkQueue queue,
    IOptions<WorkerOptions> options,
    TimeProvider time,
    ILogger<EventPump> logger)
{
    /// <summary>Lower than for images, because a preview is shown for a moment only.</summary>
    const int PreviewQuality = 80;

    static readonly ActivitySource Source = new("Muse.GpuWorker");
    readonly ConcurrentDictionary<Task, bool> endings = new();

    /// <summary>Reads events until the engine has drained and every outcome is stored.</summary>
    /// <param name="giveUp">Stops waiting for Redis while it is unavailable.</param>
    public async Task RunAsync(CancellationToken giveUp)
    {
        await foreach (var engineEvent in context.Engine.Events.ReadAllAsync(CancellationToken.None))
        {
            if (context.Find(engineEvent.RequestId) is { } image)
                Handle(image, engineEvent, giveUp);
        }

        await Task.WhenAll(endings.Keys);
    }

    void Handle(InFlightImage image, EngineEvent engineEvent, CancellationToken giveUp)
    {
        switch (engineEvent)
        {
            case EngineEvent.Joined joined:
                // Taking the image has marked it as running in Redis. Its progress is reported later.
                (image.Slot, image.Step, image.Reported) = (joined.Slot, joined.Step, time.GetTimestamp());
                break;
            case EngineEvent.Stepped stepped:
                Advance(image, stepped.Step, stepped.Steps);
                if (image.IsReporting || time.GetElapsedTime(image.Reported) < options.Value.Progress)
                    break;
                image.Reported = time.GetTimestamp();
                Report(image, () => queue.ReportAsync(image.Item, stepped.Step, stepped.Steps, null));
                break;
            case EngineEvent.Previewed previewed:
                Report(image, () => Task.Run(() => ReportPreviewAsync(image.Item, previewed)));
                break;
            case EngineEvent.Checkpointed checkpointed:
                if (image.IsReporting && !queue.IsReachable)
                    break; // The next checkpoint replaces this one.
                Report(image, () => queue.SaveCheckpointAsync(image.Item, checkpointed.Step, checkpointed.State));
                break;
            case EngineEvent.Completed completed:
                Advance(image, completed.Steps, completed.Steps);
                End(image, "succeeded", () => Task.Run(() => StoreAsync(image, completed, giveUp), CancellationToken.None));
                break;
            case EngineEvent.Failed failed:
                WorkerLog.Failed(logger, image.Item.Id, failed.Message);
                var code = failed.InvalidRequest ? JobErrorCodes.InvalidRequest : JobErrorCodes.EngineFailure;
                End(image, "failed", () => queue.FailAsync(image.Item, new JobError(code, failed.Message), giveUp));
                break;
            case EngineEvent.Cancelled:
                End(image, "cancelled", () => Task.CompletedTask);
                break;
            case EngineEvent.HandedBack back:
                End(image, "handed back", () => queue.HandBackAsync([(image.Item, back.Step, back.State)], giveUp));
                break;
        }
    }

    void Advance(InFlightImage image, int step, int steps)
    {
        context.AddProgress((double)(step - image.Step) / steps);
        image.Step = step;
    }

    /// <summary>Sends a report, which may get lost. If another worker has taken the image over, it is cancelled here.</summary>
    void Report(InFlightImage image, Func<Task<bool>> report) => _ = image.RunInOrder(async () =>
    {
        try
        {
            if (!await report())
                context.Engine.Cancel(image.Id);
        }
        catch (Exception exception)
        {
            WorkerLog.NotReported(logger, image.Item.Id, exception); // The image goes on without the report.
        }
    });

    void End(InFlightImage image, string outcome, Func<Task> end)
    {
        (image.InEngine, image.Slot) = (false, -1);
        var ending = EndAsync();
        endings[ending] = true;
        _ = ending.ContinueWith(done => endings.TryRemove(done, out _), TaskScheduler.Default);

        async Task EndAsync()
        {
            try
            {
                await image.RunInOrder(end);
                context.Release(image, outcome);
            }
            catch (Exception exception)
            {
                // Its lease runs out, and another worker continues from the last checkpoint.
                WorkerLog.NotEnded(logger, image.Item.Id, outcome, exception);
                context.Release(image, "abandoned");
            }
        }
    }

    Task<bool> ReportPreviewAsync(WorkItem item, EngineEvent.Previewed previewed)
    {
        var preview = RequestMapping.Content(item.Job, previewed.Preview);
        var bytes = ImageEncoder.Encode(preview, ImageFormat.Jpeg, PreviewQuality);
        var stored = new StoredImage(bytes, OutputFormat.Jpeg, preview.Width, preview.Height);
        return queue.ReportAsync(item, previewed.Step, previewed.Steps, stored);
    }

    async Task StoreAsync(InFlightImage inFlight, EngineEvent.Completed completed, CancellationToken giveUp)
    {
        using var span = Source.StartActivity("store result", ActivityKind.Internal, inFlight.Span?.Context ?? default);
        var item = inFlight.Item;
        var image = RequestMapping.Content(item.Job, completed.Image);
        var metadata = new ImageMetadata(ImageParameters.Describe(inFlight.Request, context.Model), options.Value.AiGeneratedMark);
        var file = new ArrayPoolBufferWriter<byte>(image.Pixels.Length / 2);
        ImageEncoder.Encode(image, RequestMapping.Format(item.Job.Format), file, item.Job.Quality, metadata);
        completed.Image.Recycle();
        var stored = new StoredImage(file.WrittenMemory, item.Job.Format, image.Width, image.Height, file);
        var result = new CompletedImage(stored, completed.Steps, item.StartedAt, completed.PromptCutOff, completed.Flagged);
        await queue.CompleteAsync(item, result, giveUp);
        // Not after an exception: a call that Redis has not answered may still be sent.
        stored.Dispose();
    }
}
