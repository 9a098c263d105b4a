using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Muse.Diffusion;

/// <summary>The engine's spans and measurements.</summary>
public static class EngineTelemetry
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "Muse.Diffusion";

    static readonly ActivitySource Source = new(Name);
    static readonly Meter Meter = new(Name);

    static readonly InstrumentAdvice<double> Durations = new()
    {
        HistogramBucketBoundaries = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    };

    internal static readonly Histogram<int> BatchSize =
        Meter.CreateHistogram("muse.batch.size", "{request}", "Requests in the batch at a step.",
        advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32] });

    internal static readonly Histogram<int> BatchRows =
        Meter.CreateHistogram("muse.batch.rows", "{row}", "Rows of requests that the denoiser ran in a call, without padding.",
        advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64] });

    internal static readonly Histogram<int> BatchPadding =
        Meter.CreateHistogram("muse.batch.padding", "{row}", "Rows that the denoiser ran in a call without a request in them.",
        advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [0, 1, 2, 4, 6, 8, 12, 16, 20, 24] });

    internal static readonly Histogram<double> StepDuration =
        Meter.CreateHistogram("muse.step.duration", "s", "One denoising step of the whole batch.",
        advice: Durations);

    internal static readonly Histogram<double> JoinDelay =
        Meter.CreateHistogram("muse.engine.join.delay", "s", "From being handed to the engine to joining the batch.",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] });

    internal static readonly Histogram<double> EncodeDuration =
        Meter.CreateHistogram<double>("muse.encode.duration", "s", "Encoding one request's prompts.",
        advice: Durations);

    internal static readonly Histogram<double> ImageEncodeDuration =
        Meter.CreateHistogram<double>("muse.image.encode.duration", "s", "Encoding one request's input image.",
        advice: Durations);

    internal static readonly Histogram<double> DecodeDuration =
        Meter.CreateHistogram<double>("muse.decode.duration", "s", "Decoding the latents of one call.",
        advice: Durations);

    internal static readonly Counter<long> MemoryExhausted =
        Meter.CreateCounter<long>("muse.engine.memory.exhausted", "{step}", "Steps that did not fit into the device's memory.");

    /// <summary>A span of a request's trace, apart from whatever span is current on this thread.</summary>
    internal static Activity? StartForRequest(string name, GenerationRequest request)
    {
        if (request.TraceContext == default)
            return null;
        var span = Start(name, request.TraceContext, null);
        span?.SetTag("muse.job.id", request.Id);
        return span;
    }

    /// <summary>The span of one composition of the batch, linked to every request in it.</summary>
    internal static Activity? StartForBatch(IReadOnlyList<Slot> members)
    {
        if (!Source.HasListeners())
            return null;
        var rows = 0;
        var links = new List<ActivityLink>(members.Count);
        foreach (var member in members)
        {
            rows += member.Rows;
            if (member.Request.TraceContext != default)
                links.Add(new ActivityLink(member.Request.TraceContext));
        }
        var span = Start("batch", default, links);
        span?.SetTag("muse.batch.size", members.Count);
        span?.SetTag("muse.batch.rows", rows);
        return span;
    }

    static Activity? Start(string name, ActivityContext parent, IEnumerable<ActivityLink>? links)
    {
        // Spans here overlap freely, so none of them is the thread's current one.
        var current = Activity.Current;
        Activity.Current = null;
        var span = Source.StartActivity(name, ActivityKind.Internal, parent, links: links);
        Activity.Current = current;
        return span;
    }

    /// <summary>Ends a span without touching the thread's current one.</summary>
    internal static void End(Activity? span, Exception? failure = null)
    {
        if (span is null)
            return;
        if (failure is not null)
            span.SetStatus(ActivityStatusCode.Error, failure.Message);
        var current = Activity.Current;
        span.Stop();
        Activity.Current = current;
    }
}
