using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Says how the worker is, announces the model, and hears when it is to drain.</summary>
sealed class HeartbeatLoop(Atelier atelier, WorkQueue queue, Fleet fleet, IOptions<WorkerOptions> options, TimeProvider time, ILogger<HeartbeatLoop> logger)
{
    /// <summary>The model's card is announced again after this many beats, in case Redis has lost it.</summary>
    const int AnnounceEvery = 30;

    readonly RateMeter meter = new();
    double seen;

    /// <summary>Beats until it is cancelled.</summary>
    /// <param name="drain">What to do when somebody asks this worker to drain.</param>
    /// <param name="stopping">Ends it.</param>
    public async Task RunAsync(Action drain, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.Value.Heartbeat, time);
        for (var beat = 0; ; beat++)
        {
            try
            {
                if (beat % AnnounceEvery == 0)
                    await fleet.AnnounceModelAsync(PaintingRequest.Card(atelier.Model), stopping);
                await BeatAsync(stopping);
                if (atelier.State != WorkerState.Draining && await fleet.IsDrainRequestedAsync(queue.Worker, stopping))
                    drain();
            }
            catch (QueueUnavailableException problem)
            {
                WorkerLog.Away(logger, problem.Message);
                beat = -1; // What it forgot is announced first.
            }
            if (!await timer.WaitForNextTickAsync(stopping))
                return;
        }
    }

    public Task BeatAsync(CancellationToken cancellation)
    {
        var inEngine = atelier.Paintings.Where(painting => painting.InEngine).ToList();
        var progress = atelier.Progress;
        meter.Observe(progress - seen, options.Value.Heartbeat, worked: inEngine.Count > 0, batchFull: inEngine.Count >= atelier.Slots);
        seen = progress;
        return fleet.BeatAsync(new WorkerHeartbeat
        {
            Worker = queue.Worker,
            Instance = options.Value.Instance,
            State = atelier.State,
            Device = atelier.Model.Device,
            StartedAt = atelier.StartedAt,
            At = time.GetUtcNow(),
            Slots = atelier.Slots,
            Batch = [.. inEngine.Where(painting => painting.Place >= 0).OrderBy(painting => painting.Place)
                .Select(painting => new BatchPlace(painting.Place, painting.Item.Job.Id, painting.Item.Index, painting.Step, painting.Request.Steps))],
            PicturesPerSecond = meter.PicturesPerSecond,
            Painted = atelier.Painted,
        }, cancellation);
    }
}
