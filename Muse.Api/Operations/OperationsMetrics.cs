using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The system as gauges, by model: what <see cref="OperationsFeed"/> last saw.</summary>
public sealed class OperationsMetrics
{
    /// <summary>The meter's name.</summary>
    public const string Meter = "Muse.Api";

    /// <summary>Makes the instruments.</summary>
    public OperationsMetrics(IMeterFactory meters, IOptions<QueueOptions> queue, Waiters waiters)
    {
        var model = new KeyValuePair<string, object?>("muse.model", queue.Value.Model);
        var meter = meters.Create(Meter);
        Gauge("muse.queue.waiting", "{picture}", "Pictures not begun.", now => now.Queue.Waiting);
        Gauge("muse.queue.pending", "{picture}", "Pictures begun and not ended.", now => now.Queue.Pending);
        Gauge("muse.queue.oldest_wait", "s", "How long the oldest waiting picture has waited.", now => now.Queue.OldestWaitingSeconds ?? 0);
        Gauge("muse.workers", "{worker}", "Workers heard of in the last 15 s.", now => now.Workers.Count);
        Gauge("muse.workers.places", "{picture}", "Places in all workers' batches.", now => now.Workers.Sum(worker => worker.Slots));
        Gauge("muse.workers.places.taken", "{picture}", "Taken places in all workers' batches.", now => now.Workers.Sum(worker => worker.Batch.Count));
        Gauge("muse.dead_letters", "{picture}", "Pictures given up, at most 50.", now => now.DeadLetters.Count);
        meter.CreateObservableCounter("muse.pictures.arrived", () => Measure(now => now.Queue.Arrivals), "{picture}", "Pictures ever asked for.");
        meter.CreateObservableCounter("muse.pictures.completed", () => Measure(now => now.Queue.Completed), "{picture}", "Pictures ever ended.");
        meter.CreateObservableGauge("muse.api.waiting_jobs", () => new Measurement<int>(waiters.Count, model), "{job}", "Jobs that clients of this process wait for on an open connection.");

        void Gauge(string name, string unit, string description, Func<OperationsNow, double> value) => meter.CreateObservableGauge(name, () => Measure(value), unit, description);

        IEnumerable<Measurement<T>> Measure<T>(Func<OperationsNow, T> value) where T : struct => Latest is { } now ? [new Measurement<T>(value(now), model)] : [];
    }

    /// <summary>What was last seen.</summary>
    public OperationsNow? Latest { get; set; }
}
