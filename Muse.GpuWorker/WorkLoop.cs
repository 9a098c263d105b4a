using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Free slots → entries → engine.</summary>
sealed class WorkLoop(Atelier atelier, WorkQueue queue, IOptions<QueueOptions> options, TimeProvider time, ILogger<WorkLoop> logger)
{
    /// <summary>Reads until it is cancelled or the engine drains.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested && atelier.State != WorkerState.Draining)
        {
            try
            {
                await atelier.Engine.WaitForRoomAsync(stopping);
                var items = await queue.ReadAsync(atelier.Engine.FreeSlots, stopping);
                foreach (var item in items)
                    await BeginAsync(item);
                if (items.Count == 0)
                    await queue.WaitForWorkAsync(stopping);
            }
            catch (QueueUnavailableException problem)
            {
                WorkerLog.Away(logger, problem.Message);
                await Task.Delay(options.Value.SafetyPoll, time, stopping); // Until it is back; what is in work goes on.
            }
        }
    }

    async Task BeginAsync(WorkItem item)
    {
        var painting = atelier.Take(item);
        if (atelier.Model.Check(painting.Request) is var (field, message))
        {
            await queue.FailAsync(item, new JobError(JobErrorCodes.InvalidRequest, message, field), CancellationToken.None);
            atelier.Release(painting, "invalid");
        }
        else if (!atelier.Engine.TrySubmit(painting.Request, item.Checkpoint))
        {
            // It began to drain just now.
            painting.InEngine = false;
            await queue.HandBackAsync([(item, 0, item.Checkpoint)], CancellationToken.None);
            atelier.Release(painting, "handed back");
        }
    }
}
