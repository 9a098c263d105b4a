using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Muse.Queue;

/// <summary>The queue's activity source and instruments.</summary>
static class QueueTelemetry
{
    public static readonly ActivitySource Source = new("Muse.Queue");
    static readonly Meter Meter = new("Muse.Queue");

    public static readonly Counter<long> Submitted =
        Meter.CreateCounter<long>("muse.queue.submitted", "{job}", "Jobs submitted, by outcome.");
    public static readonly Counter<long> Taken = Meter.CreateCounter<long>(
        "muse.queue.taken", "{picture}", "Images taken by this worker, by whether it was the first delivery.");
    public static readonly Counter<long> Ended = Meter.CreateCounter<long>(
        "muse.queue.ended", "{picture}", "Images that this worker ended, by outcome.");
    public static readonly Histogram<double> Waited = Meter.CreateHistogram(
        "muse.queue.wait.duration", "s", "From acceptance until a worker took the image.",
        advice: new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
        });
}
