using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Free slots → stream entries → engine.</summary>
sealed class WorkLoop(WorkerContext context, WorkQueue queue, IOptions<QueueOptions> options, TimeProvider time, ILogger<WorkLoop> logger)
{
    /// <summary>Reads until it is cancelled or the engine drains.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested && context.State != WorkerState.Draining)
        {
            try
            {
                await context.Engine.WaitForRoomAsync(stopping);
                var items = await queue.ReadAsync(context.Engine.FreeSlots, stopping);
                foreach (var item in items)
                    await BeginAsync(item, stopping);
                if (items.Count == 0)
                    await queue.WaitForWorkAsync(stopping);
            }
            catch (QueueUnavailableException exception)
            {
                WorkerLog.QueueUnavailable(logger, exception.Message);
                await Task.Delay(options.Value.SafetyPoll, time, stopping); // Images in flight go on meanwhile.
            }
        }
    }

    /// <summary>Begins an image, or ends it if it can't be begun.</summary>
    public async Task BeginAsync(WorkItem item, CancellationToken stopping)
    {
        InFlightImage image;
        try
        {
            image = context.Add(item, item.Job.Input is null ? null : await queue.ReadInputAsync(item, stopping));
        }
        catch (InvalidDataException exception)
        {
            await EndAsync(context.Add(item), "invalid", () => queue.FailAsync(
                item, new JobError(JobErrorCodes.Unreadable, exception.Message), CancellationToken.None));
            return;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await HandBackAsync(context.Add(item));
            return;
        }
        if (context.Model.Check(image.Request) is var (property, message))
        {
            await EndAsync(image, "invalid", () => queue.FailAsync(
                item, new JobError(JobErrorCodes.InvalidRequest, message, RequestMapping.FieldName(property)), CancellationToken.None));
        }
        else if (!context.Engine.TrySubmit(image.Request, item.Checkpoint))
        {
            // The engine has begun to drain.
            await HandBackAsync(image);
        }
    }

    Task HandBackAsync(InFlightImage image) => EndAsync(image, "handed back",
        () => queue.HandBackAsync([(image.Item, 0, image.Item.Checkpoint)], CancellationToken.None));

    /// <summary>Ends an image that never ran. If Redis does not hear of it, the image's lease runs out and it is taken again.</summary>
    async Task EndAsync(InFlightImage image, string outcome, Func<Task> end)
    {
        image.InEngine = false;
        try
        {
            await end();
        }
        catch (Exception exception)
        {
            WorkerLog.NotEnded(logger, image.Item.Id, outcome, exception);
            outcome = "left";
        }
        finally
        {
            context.Release(image, outcome);
        }
    }
}
