using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The meter <c>Muse.Api</c>: what this process knows alone. The autoscaler reports the queue and the workers.</summary>
public sealed class OperationsMetrics : IHostedService
{
    /// <summary>Creates the instrument.</summary>
    public OperationsMetrics(IMeterFactory meters, IOptions<QueueOptions> queue, WaitingConnections connections)
    {
        var model = new KeyValuePair<string, object?>("muse.model", queue.Value.Model);
        meters.Create("Muse.Api").CreateObservableGauge("muse.api.waiting_jobs", () => new Measurement<int>(connections.Count, model),
            "{job}", "Jobs that open connections of this process wait for.");
    }

    /// <summary>Does nothing: the instrument is observable.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Does nothing.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
