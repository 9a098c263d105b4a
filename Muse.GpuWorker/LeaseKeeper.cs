using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Renews the leases of what is in work, three times a lease, and takes out of the batch what is no longer this worker's.</summary>
sealed class LeaseKeeper(Atelier atelier, WorkQueue queue, IOptions<QueueOptions> options, TimeProvider time, ILogger<LeaseKeeper> logger)
{
    public Task RunAsync(CancellationToken stopping) => Task.WhenAll(RenewAsync(stopping), HeedCancellationsAsync(stopping));

    async Task RenewAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.Value.Lease / 3, time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            try
            {
                var held = atelier.Paintings.ToDictionary(painting => painting.Item);
                foreach (var lost in await queue.RenewAsync(held.Keys, stopping))
                    atelier.Engine.Cancel(held[lost].Id);
            }
            catch (QueueUnavailableException problem)
            {
                WorkerLog.Away(logger, problem.Message);
            }
        }
    }

    async Task HeedCancellationsAsync(CancellationToken stopping)
    {
        await foreach (var jobId in queue.Cancellations.ReadAllAsync(stopping))
        {
            foreach (var painting in atelier.Paintings.Where(painting => painting.Item.Job.Id == jobId))
                atelier.Engine.Cancel(painting.Id);
        }
    }
}
