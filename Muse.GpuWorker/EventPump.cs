using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Options;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>What the engine tells → what Redis hears. Pictures are encoded and stored beside the loop, so that none waits for another.</summary>
sealed class EventPump(Atelier atelier, WorkQueue queue, IOptions<WorkerOptions> options, TimeProvider time, ILogger<EventPump> logger)
{
    /// <summary>A preview is looked at for a moment.</summary>
    const int PreviewQuality = 80;

    static readonly ActivitySource Source = new("Muse.GpuWorker");
    readonly ConcurrentDictionary<Task, bool> endings = new();

    /// <summary>Reads until the engine has drained and every end has been told.</summary>
    /// <param name="giveUp">Ends the waiting for a Redis that is away.</param>
    public async Task RunAsync(CancellationToken giveUp)
    {
        await foreach (var happened in atelier.Engine.Events.ReadAllAsync(CancellationToken.None))
        {
            if (atelier.Find(happened.RequestId) is { } painting)
                Handle(painting, happened, giveUp);
        }

        await Task.WhenAll(endings.Keys);
    }

    void Handle(Painting painting, EngineEvent happened, CancellationToken giveUp)
    {
        switch (happened)
        {
            case EngineEvent.Joined joined:
                // That it runs is known since it was taken; how far it is gets interesting after a while.
                (painting.Place, painting.Step, painting.Reported) = (joined.Place, joined.Step, time.GetTimestamp());
                break;
            case EngineEvent.Stepped stepped:
                Advance(painting, stepped.Step, stepped.Steps);
                if (painting.IsTelling || time.GetElapsedTime(painting.Reported) < options.Value.Progress)
                    break;
                painting.Reported = time.GetTimestamp();
                Tell(painting, () => queue.ReportAsync(painting.Item, stepped.Step, stepped.Steps, null));
                break;
            case EngineEvent.Previewed previewed:
                Tell(painting, () => Task.Run(() => queue.ReportAsync(painting.Item, previewed.Step, previewed.Steps, new StoredPicture(
                    ImageEncoder.Encode(previewed.Preview, ImageFormat.Jpeg, PreviewQuality), PictureFormat.Jpeg, previewed.Preview.Width, previewed.Preview.Height))));
                break;
            case EngineEvent.Checkpointed checkpointed:
                if (painting.IsTelling && !queue.IsReachable)
                    break; // The next one is as good.
                Tell(painting, () => queue.SaveCheckpointAsync(painting.Item, checkpointed.Step, checkpointed.State));
                break;
            case EngineEvent.Completed completed:
                Advance(painting, completed.Steps, completed.Steps);
                End(painting, "succeeded", () => Task.Run(() => StoreAsync(painting, completed, giveUp), CancellationToken.None));
                break;
            case EngineEvent.Failed failed:
                WorkerLog.Failed(logger, painting.Item.Id, failed.Message);
                End(painting, "failed", () => queue.FailAsync(painting.Item,
                    new JobError(failed.InvalidRequest ? JobErrorCodes.InvalidRequest : JobErrorCodes.EngineFailure, failed.Message), giveUp));
                break;
            case EngineEvent.Cancelled:
                End(painting, "cancelled", () => Task.CompletedTask);
                break;
            case EngineEvent.HandedBack back:
                End(painting, "handed back", () => queue.HandBackAsync([(painting.Item, back.Step, back.State)], giveUp));
                break;
        }
    }

    void Advance(Painting painting, int step, int steps)
    {
        atelier.Count((double)(step - painting.Step) / steps);
        painting.Step = step;
    }

    /// <summary>Tells something that may be lost; an answer that the picture is another's now takes it out of the batch.</summary>
    void Tell(Painting painting, Func<Task<bool>> tell) => _ = painting.Then(async () =>
    {
        try
        {
            if (!await tell())
                atelier.Engine.Cancel(painting.Id);
        }
        catch (Exception problem)
        {
            WorkerLog.NotTold(logger, painting.Item.Id, problem); // Progress is not worth a picture.
        }
    });

    void End(Painting painting, string how, Func<Task> end)
    {
        (painting.InEngine, painting.Place) = (false, -1);
        var ending = EndAsync();
        endings[ending] = true;
        _ = ending.ContinueWith(done => endings.TryRemove(done, out _), TaskScheduler.Default);

        async Task EndAsync()
        {
            try
            {
                await painting.Then(end);
                atelier.Release(painting, how);
            }
            catch (Exception problem)
            {
                // Its lease runs out and another worker goes on from the last checkpoint.
                WorkerLog.NotEnded(logger, painting.Item.Id, how, problem);
                atelier.Release(painting, "left");
            }
        }
    }

    async Task StoreAsync(Painting painting, EngineEvent.Completed completed, CancellationToken giveUp)
    {
        using var span = Source.StartActivity("store result", ActivityKind.Internal, painting.Span?.Context ?? default);
        var (item, image) = (painting.Item, completed.Image);
        var parameters = ImageParameters.Describe(painting.Request, atelier.Model);
        var bytes = ImageEncoder.Encode(image, PaintingRequest.Format(item.Job.Format), item.Job.Quality, parameters);
        await queue.CompleteAsync(item, new FinishedPicture(new StoredPicture(bytes, item.Job.Format, image.Width, image.Height),
            completed.Steps, item.StartedAt, completed.PromptCutOff, completed.Flagged), giveUp);
    }
}
