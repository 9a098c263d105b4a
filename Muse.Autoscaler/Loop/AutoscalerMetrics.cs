using System.Diagnostics.Metrics;

namespace Muse.Autoscaler;

/// <summary>The meter <c>Muse.Autoscaler</c>: the last decision and what it rests on. Silent until there is one.</summary>
public sealed class AutoscalerMetrics : IHostedService
{
    /// <summary>Declares the instruments.</summary>
    public AutoscalerMetrics(LatestDecision latest, IMeterFactory meters)
    {
        var meter = meters.Create("Muse.Autoscaler");
        Gauge("muse.autoscaler.workers.desired", "{worker}", "Workers that there should be.", decision => decision.Workers);
        Gauge("muse.autoscaler.pictures.waiting", "{picture}", "Pictures that no worker has taken yet (lag).", decision => decision.Measured.Waiting);
        Gauge("muse.autoscaler.pictures.pending", "{picture}", "Pictures in work.", decision => decision.Measured.Pending);
        Gauge("muse.autoscaler.oldest.wait", "s", "How long the oldest waiting picture has waited.", decision => decision.Measured.OldestWaiting?.TotalSeconds ?? 0);

        void Gauge(string name, string unit, string description, Func<ScalingDecision, double> read) =>
            meter.CreateObservableGauge(name, () => latest.Within(TimeSpan.MaxValue) is { } decision
                ? [new Measurement<double>(read(decision), new KeyValuePair<string, object?>("policy", decision.Policy))]
                : Array.Empty<Measurement<double>>(), unit, description);
    }

    /// <summary>Nothing: instruments are read when asked.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Nothing.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
