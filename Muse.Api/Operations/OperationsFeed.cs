using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Muse.Queue;

namespace Muse.Api;

/// <summary>Measures the system once a second for all listeners. The load on Redis does not grow with the number of open pages.</summary>
public sealed partial class OperationsFeed(Fleet fleet, DeadLetters deadLetters, TimeProvider time,
    ILogger<OperationsFeed> logger) : BackgroundService
{
    static readonly TimeSpan IntervalWithListeners = TimeSpan.FromSeconds(1);
    static readonly TimeSpan IntervalWithoutListeners = TimeSpan.FromSeconds(5);
    static readonly TimeSpan RateWindow = TimeSpan.FromSeconds(10);
    static readonly TimeSpan PointInterval = TimeSpan.FromSeconds(5);
    const int MaxPoints = 720;
    const int Decisions = 20;
    const int Letters = 50;

    readonly ConcurrentDictionary<Channel<byte[]>, bool> listeners = new();
    readonly RecentWaits waits = new();
    readonly Queue<QueueMeasurement> measured = new();
    readonly Queue<OperationsPoint> points = new();
    DateTimeOffset lastPoint;
    bool unavailable;

    /// <summary>The last hour, oldest first.</summary>
    public OperationsPoint[] History()
    {
        lock (points)
            return [.. points];
    }

    /// <summary>Each measurement from now on, an <see cref="OperationsNow"/> as JSON. A slow listener misses some.</summary>
    public async IAsyncEnumerable<byte[]> ListenAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var channel = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(1)
        {
            FullMode = BoundedChannelFullMode.DropOldest,
            SingleReader = true
        });
        listeners.TryAdd(channel, true);
        try
        {
            await foreach (var now in channel.Reader.ReadAllAsync(cancellation))
                yield return now;
        }
        finally
        {
            listeners.TryRemove(channel, out _);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var ticks = 0;
        using var timer = new PeriodicTimer(IntervalWithListeners, time);
        do
        {
            // Without listeners the history is updated less often.
            if (listeners.IsEmpty && ticks++ % (int)(IntervalWithoutListeners / IntervalWithListeners) != 0)
                continue;
            try
            {
                var now = await MeasureAsync(stoppingToken);
                unavailable = false;
                if (!listeners.IsEmpty)
                {
                    var json = JsonSerializer.SerializeToUtf8Bytes(now, ApiJson.Default.OperationsNow);
                    foreach (var (listener, _) in listeners)
                        listener.Writer.TryWrite(json);
                }
            }
            catch (QueueUnavailableException exception)
            {
                // Logged once, not every second.
                if (!unavailable)
                    QueueUnavailable(exception.Message);
                unavailable = true;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    async Task<OperationsNow> MeasureAsync(CancellationToken cancellation)
    {
        var measuring = fleet.MeasureAsync(cancellation);
        var started = fleet.StartedImagesAsync(waits.Last, cancellation);
        var heartbeats = fleet.WorkersAsync(cancellation);
        var decided = fleet.DecisionsAsync(Decisions, cancellation);
        var dead = deadLetters.ListAsync(Letters, cancellation);
        await Task.WhenAll(measuring, started, heartbeats, decided, dead);
        var (queue, workers) = (measuring.Result, heartbeats.Result);
        var decisions = decided.Result.Select(decision =>
            new OperationsDecision(decision.Workers, decision.Reason, decision.At, decision.Policy)).ToList();
        waits.Add(started.Result);
        var (p50, p95) = waits.Percentiles(queue.At);
        var now = new OperationsNow
        {
            At = queue.At,
            Queue = new(queue.Waiting, queue.Pending, queue.OldestWaiting?.TotalSeconds, queue.Arrivals, queue.Ended),
            ImagesPerSecond = Rate(queue),
            WaitP50 = p50,
            WaitP95 = p95,
            Workers = [.. workers.OrderBy(worker => worker.StartedAt).Select(Show)],
            Decision = decisions.FirstOrDefault(),
            Decisions = decisions,
            DeadLetters = [.. dead.Result.Select(Show)],
        };
        if (queue.At - lastPoint >= PointInterval)
        {
            lastPoint = queue.At;
            lock (points)
            {
                if (points.Count == MaxPoints)
                    points.Dequeue();
                points.Enqueue(new(queue.At, queue.Waiting, now.ImagesPerSecond, p50, p95, workers.Count, now.Decision?.Workers));
            }
        }
        return now;
    }

    double? Rate(QueueMeasurement queue)
    {
        measured.Enqueue(queue);
        // The measurement before the window stays, so that the window is always covered.
        while (measured.Count > 2 && queue.At - measured.Skip(1).First().At >= RateWindow)
            measured.Dequeue();
        var first = measured.Peek();
        var seconds = (queue.At - first.At).TotalSeconds;
        return seconds > 0 ? Math.Max(0, queue.Ended - first.Ended) / seconds : null;
    }

    static OperationsWorker Show(WorkerHeartbeat worker) => new(worker.Worker, worker.Instance, worker.State switch
    {
        WorkerState.Starting => "starting",
        WorkerState.Draining => "draining",
        _ => "ready",
    }, worker.Device, worker.StartedAt, worker.At, worker.Slots,
        [.. worker.Batch.Select(slot => new OperationsPlace(slot.Slot, Shorten(slot.JobId)!, slot.Index, slot.Step, slot.Steps))],
        worker.ImagesPerSecond, worker.Completed);

    /// <summary>A dead letter in the operators' API.</summary>
    public static OperationsDeadLetter Show(DeadLetter letter) =>
        new(letter.Id, Shorten(letter.JobId), letter.Index, letter.Reason, letter.At);

    static string? Shorten(string? jobId) => jobId is { Length: > 12 } ? jobId[..12] : jobId;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The system could not be measured: {Reason}")]
    partial void QueueUnavailable(string reason);
}
