using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The system as gauges, by model: the latest measurement of <see cref="OperationsFeed"/>.</summary>
public sealed class OperationsMetrics
{
    /// <summary>The meter's name.</summary>
    public const string Meter = "Muse.Api";

    /// <summary>Creates the instruments.</summary>
    public OperationsMetrics(IMeterFactory meters, IOptions<QueueOptions> queue, WaitingConnections connections)
    {
        var model = new KeyValuePair<string, object?>("muse.model", queue.Value.Model);
        var meter = meters.Create(Meter);
        Gauge("muse.queue.waiting", "{picture}", "Images that wait.", now => now.Queue.Waiting);
        Gauge("muse.queue.pending", "{picture}", "Images in progress.", now => now.Queue.Pending);
        Gauge("muse.queue.oldest_wait", "s", "Waiting time of the oldest waiting image.", now => now.Queue.OldestWaitingSeconds ?? 0);
        Gauge("muse.workers", "{worker}", "Workers with a heartbeat in the last 15 s.", now => now.Workers.Count);
        Gauge("muse.workers.places", "{picture}", "Slots of all workers.", now => now.Workers.Sum(worker => worker.Slots));
        Gauge("muse.workers.places.taken", "{picture}", "Occupied slots of all workers.", now =>
            now.Workers.Sum(worker => worker.Batch.Count));
        Gauge("muse.dead_letters", "{picture}", "Dead letters, counted up to 50.", now => now.DeadLetters.Count);
        meter.CreateObservableCounter("muse.pictures.arrived", () => Measure(now => now.Queue.Arrivals), "{picture}",
            "Images submitted.");
        meter.CreateObservableCounter("muse.pictures.completed", () => Measure(now => now.Queue.Completed), "{picture}",
            "Images completed, failed or cancelled.");
        meter.CreateObservableGauge("muse.api.waiting_jobs", () => new Measurement<int>(connections.Count, model), "{job}",
            "Jobs that open connections of this process wait for.");

        void Gauge(string name, string unit, string description, Func<OperationsNow, double> value) =>
            meter.CreateObservableGauge(name, () => Measure(value), unit, description);

        IEnumerable<Measurement<T>> Measure<T>(Func<OperationsNow, T> value) where T : struct => Latest is { } now
            ? [new Measurement<T>(value(now), model)] : [];
    }

    /// <summary>The latest measurement.</summary>
    public OperationsNow? Latest { get; set; }
}
