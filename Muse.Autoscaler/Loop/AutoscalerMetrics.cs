using System.Diagnostics.Metrics;

namespace Muse.Autoscaler;

/// <summary>The meter <c>Muse.Autoscaler</c>: the last decision and its measurement. Reports nothing before the first decision.</summary>
public sealed class AutoscalerMetrics : IHostedService
{
    /// <summary>Creates the instruments.</summary>
    public AutoscalerMetrics(LatestDecision latest, IMeterFactory meters)
    {
        var meter = meters.Create("Muse.Autoscaler");
        Gauge("muse.autoscaler.workers.desired", "{worker}", "Workers wanted.", decision => decision.Workers);
        Gauge("muse.autoscaler.pictures.waiting", "{picture}", "Images that no worker has taken yet.",
            decision => decision.Measured.Waiting);
        Gauge("muse.autoscaler.pictures.pending", "{picture}", "Images in progress.", decision => decision.Measured.Pending);
        Gauge("muse.autoscaler.oldest.wait", "s", "Waiting time of the oldest waiting image.",
            decision => decision.Measured.OldestWaiting?.TotalSeconds ?? 0);

        void Gauge(string name, string unit, string description, Func<ScalingDecision, double> read) =>
            meter.CreateObservableGauge(name, () => latest.Within(TimeSpan.MaxValue) is { } decision
                ? [new Measurement<double>(read(decision), new KeyValuePair<string, object?>("policy", decision.Policy))]
                : Array.Empty<Measurement<double>>(), unit, description);
    }

    /// <summary>Does nothing: the instruments are observable.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Does nothing.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
