using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>
/// Renews the leases of the images that this worker holds, three times a lease, and cancels those that it no longer owns.
/// </summary>
sealed class LeaseKeeper(
    WorkerContext context,
    WorkQueue queue,
    IOptions<QueueOptions> options,
    TimeProvider time,
    ILogger<LeaseKeeper> logger)
{
    public Task RunAsync(CancellationToken stopping) => Task.WhenAll(RenewAsync(stopping), WatchCancellationsAsync(stopping));

    async Task RenewAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.Value.Lease / 3, time);
        while (await timer.WaitForNextTickAsync(stopping))
        {
            try
            {
                var images = context.InFlight.ToDictionary(image => image.Item);
                // Those that wait for their input are not in flight yet.
                foreach (var lost in await queue.RenewAsync([.. images.Keys.Union(queue.Held)], stopping))
                {
                    if (images.TryGetValue(lost, out var image))
                        context.Engine.Cancel(image.Id);
                }
            }
            catch (QueueUnavailableException exception)
            {
                WorkerLog.QueueUnavailable(logger, exception.Message);
            }
        }
    }

    async Task WatchCancellationsAsync(CancellationToken stopping)
    {
        await foreach (var jobId in queue.Cancellations.ReadAllAsync(stopping))
        {
            foreach (var image in context.InFlight.Where(image => image.Item.Job.Id == jobId))
                context.Engine.Cancel(image.Id);
        }
    }
}
