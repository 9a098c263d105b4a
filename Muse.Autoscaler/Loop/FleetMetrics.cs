using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>
/// The meter <c>Muse.Autoscaler</c>: the queue and the workers of the whole fleet. Only the leader reports them, so that a sum over all
/// processes counts nothing twice.
/// </summary>
public sealed class FleetMetrics : BackgroundService
{
    /// <summary>Time between two measurements.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    readonly IFleet fleet;
    readonly Leadership leadership;
    readonly TimeProvider time;
    Measured? latest;

    /// <summary>Creates the instruments.</summary>
    public FleetMetrics(IFleet fleet, Leadership leadership, IMeterFactory meters, IOptions<QueueOptions> queue, TimeProvider time)
    {
        (this.fleet, this.leadership, this.time) = (fleet, leadership, time);
        var model = new KeyValuePair<string, object?>("muse.model", queue.Value.Model);
        var meter = meters.Create("Muse.Autoscaler");
        Gauge("muse.queue.waiting", "{picture}", "Images that wait.", now => now.Queue.Waiting);
        Gauge("muse.queue.pending", "{picture}", "Images in progress.", now => now.Queue.Pending);
        Gauge("muse.queue.oldest_wait", "s", "Waiting time of the oldest waiting image.",
            now => now.Queue.OldestWaiting?.TotalSeconds ?? 0);
        Gauge("muse.workers", "{worker}", "Workers with a heartbeat in the last 15 s.", now => now.Workers.Count);
        Gauge("muse.workers.places", "{picture}", "Slots of all workers.", now => now.Workers.Sum(worker => worker.Slots));
        Gauge("muse.workers.places.taken", "{picture}", "Occupied slots of all workers.", now =>
            now.Workers.Sum(worker => worker.Batch.Count));
        Gauge("muse.dead_letters", "{picture}", "Dead letters.", now => now.DeadLetters);
        Gauge("muse.autoscaler.workers.desired", "{worker}", "Workers wanted.", now => now.Decision?.Workers);
        meter.CreateObservableCounter("muse.pictures.arrived", () => Measure(now => now.Queue.Arrivals), "{picture}",
            "Images submitted.");
        meter.CreateObservableCounter("muse.pictures.completed", () => Measure(now => now.Queue.Ended), "{picture}",
            "Images completed, failed or cancelled.");

        void Gauge(string name, string unit, string description, Func<Measured, double?> value) =>
            meter.CreateObservableGauge(name, () => Measure(value), unit, description);

        IEnumerable<Measurement<double>> Measure(Func<Measured, double?> value) =>
            leadership.Current is { } lease && Volatile.Read(ref latest) is { } now && now.Epoch == lease.Epoch && value(now) is { } known
                ? [new Measurement<double>(known, model)] : [];
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await MeasureAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            var pause = leadership.Current is null ? Leadership.RetryInterval : Interval;
            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Measures once, if this autoscaler leads. While Redis is unavailable, the last measurement counts until the lease ends.
    /// </summary>
    public async Task MeasureAsync(CancellationToken cancellation)
    {
        if (leadership.Current is not { } lease)
            return;
        try
        {
            var (queue, workers) = (fleet.MeasureAsync(cancellation), fleet.WorkersAsync(cancellation));
            var (dead, decision) = (fleet.CountDeadLettersAsync(cancellation), fleet.LatestDecisionAsync(cancellation));
            await Task.WhenAll(queue, workers, dead, decision);
            Volatile.Write(ref latest, new(lease.Epoch, queue.Result, workers.Result, dead.Result, decision.Result));
        }
        catch (QueueUnavailableException)
        {
            // The loop logs it.
        }
    }

    sealed record Measured(
        long Epoch, QueueMeasurement Queue, IReadOnlyList<WorkerHeartbeat> Workers, long DeadLetters, ScalingDecision? Decision);
}
