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
                    await BeginAsync(item);
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

    async Task BeginAsync(WorkItem item)
    {
        var image = context.Add(item);
        if (context.Model.Check(image.Request) is var (property, message))
        {
            await queue.FailAsync(item, new JobError(JobErrorCodes.InvalidRequest, message, RequestMapping.FieldName(property)),
                CancellationToken.None);
            context.Release(image, "invalid");
        }
        else if (!context.Engine.TrySubmit(image.Request, item.Checkpoint))
        {
            // The engine has begun to drain.
            image.InEngine = false;
            await queue.HandBackAsync([(item, 0, item.Checkpoint)], CancellationToken.None);
            context.Release(image, "handed back");
        }
    }
}
