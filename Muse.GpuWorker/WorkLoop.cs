using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Reads as many entries from the queue as the engine has free slots, and submits them to the engine.</summary>
sealed class WorkLoop(
    WorkerContext context,
    WorkQueue queue,
    IOptions<QueueOptions> options,
    TimeProvider time,
    ILogger<WorkLoop> logger)
{
    /// <summary>Runs until it is cancelled or the worker drains.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested && context.State != WorkerState.Draining)
        {
            try
            {
                await context.Engine.WaitForFreeSlotAsync(stopping);
                var items = await queue.ReadAsync(context.Engine.FreeSlots, stopping);
                // One that waits for its input does not hold up the others.
                await Task.WhenAll(items.Select(item => SubmitAsync(item, stopping)));
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

    /// <summary>Submits an image to the engine, or ends it if it can't be generated.</summary>
    public async Task SubmitAsync(WorkItem item, CancellationToken stopping)
    {
        InFlightImage image;
        try
        {
            image = context.Add(item, item.Job.Input is null ? null : await queue.ReadInputAsync(item, stopping));
        }
        catch (InvalidDataException exception)
        {
            await FailAsync(context.Add(item), new JobError(JobErrorCodes.Unreadable, exception.Message));
            return;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await HandBackAsync(context.Add(item));
            return;
        }
        if (context.Model.Check(image.Request) is var (property, message))
        {
            await FailAsync(image, new JobError(JobErrorCodes.InvalidRequest, message, RequestMapping.FieldName(property)));
        }
        else if (!context.Engine.TrySubmit(image.Request, item.Checkpoint))
        {
            // The engine drains.
            await HandBackAsync(image);
        }
    }

    Task FailAsync(InFlightImage image, JobError error) =>
        EndAsync(image, "invalid", () => queue.FailAsync(image.Item, error, CancellationToken.None));

    Task HandBackAsync(InFlightImage image) =>
        EndAsync(image, "handed back", () => queue.HandBackAsync([(image.Item, 0, image.Item.Checkpoint)], CancellationToken.None));

    /// <summary>Ends an image that never ran. If that can't be stored in Redis, the image's lease runs out and it is taken again.</summary>
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
            outcome = "abandoned";
        }
        finally
        {
            context.Release(image, outcome);
        }
    }
}
