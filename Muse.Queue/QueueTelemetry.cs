using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Muse.Queue;

/// <summary>The queue's spans and instruments.</summary>
internal static class QueueTelemetry
{
    public static readonly ActivitySource Source = new("Muse.Queue");
    static readonly Meter Meter = new("Muse.Queue");

    public static readonly Counter<long> Submitted = Meter.CreateCounter<long>("muse.queue.submitted", "{job}", "Jobs submitted, by outcome.");
    public static readonly Counter<long> Taken = Meter.CreateCounter<long>("muse.queue.taken", "{picture}", "Pictures taken by this worker, by whether it was the first delivery.");
    public static readonly Counter<long> Ended = Meter.CreateCounter<long>("muse.queue.ended", "{picture}", "Pictures that this worker ended, by how.");
    public static readonly Histogram<double> Waited = Meter.CreateHistogram<double>("muse.queue.wait.duration", "s", "From acceptance until a worker took the picture.");
}
