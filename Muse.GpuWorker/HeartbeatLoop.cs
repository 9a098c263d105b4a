using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Sends the worker's heartbeat, announces the model, and checks whether it is to drain.</summary>
sealed class HeartbeatLoop(WorkerContext context, WorkQueue queue, Fleet fleet, IOptions<WorkerOptions> options, TimeProvider time,
    ILogger<HeartbeatLoop> logger)
{
    /// <summary>The model's card is announced again after this many heartbeats, in case Redis has lost it.</summary>
    const int AnnounceEvery = 30;

    readonly RateMeter meter = new();
    double lastProgress;
    long? lastObserved;

    /// <summary>Sends heartbeats until it is cancelled.</summary>
    /// <param name="drain">Drains the worker when that is requested.</param>
    /// <param name="stopping">Ends it.</param>
    public async Task RunAsync(Action drain, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.Value.Heartbeat, time);
        for (var beat = 0; ; beat++)
        {
            try
            {
                if (beat % AnnounceEvery == 0)
                    await fleet.AnnounceModelAsync(RequestMapping.Card(context.Model), stopping);
                await SendHeartbeatAsync(stopping);
                if (context.State != WorkerState.Draining && await fleet.IsDrainRequestedAsync(queue.Worker, stopping))
                    drain();
            }
            catch (QueueUnavailableException exception)
            {
                WorkerLog.QueueUnavailable(logger, exception.Message);
                beat = -1; // Redis may have lost the model's card: it is announced first.
            }
            if (!await timer.WaitForNextTickAsync(stopping))
                return;
        }
    }

    public Task SendHeartbeatAsync(CancellationToken cancellation)
    {
        var inEngine = context.InFlight.Where(image => image.InEngine).ToList();
        var (progress, now) = (context.Progress, time.GetTimestamp());
        // Not the interval: a heartbeat comes later if Redis was slow to answer the last one.
        if (lastObserved is { } last)
        {
            meter.Observe(progress - lastProgress, time.GetElapsedTime(last, now), worked: inEngine.Count > 0,
                batchFull: inEngine.Count >= context.Slots);
        }

        (lastProgress, lastObserved) = (progress, now);
        return fleet.SendHeartbeatAsync(new WorkerHeartbeat
        {
            Worker = queue.Worker,
            Instance = options.Value.Instance,
            State = context.State,
            Device = context.Model.Device,
            StartedAt = context.StartedAt,
            At = time.GetUtcNow(),
            Slots = context.Slots,
            Batch = [.. inEngine.Where(image => image.Slot >= 0).OrderBy(image => image.Slot)
                .Select(image => new BatchSlot(image.Slot, image.Item.Job.Id, image.Item.Index, image.Step, image.Request.Steps))],
            ImagesPerSecond = meter.ImagesPerSecond,
            Completed = context.Completed,
        }, cancellation);
    }
}
