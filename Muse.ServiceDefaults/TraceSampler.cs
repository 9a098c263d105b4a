using System.Diagnostics;
using OpenTelemetry.Trace;

namespace Muse.ServiceDefaults;

/// <summary>Records the traces of requests, up to so many a second, and none of Muse's own polling.</summary>
/// <remarks>
/// A span with a parent follows the parent's decision, so a trace is whole or absent in all programs. A span that links to traces
/// (a batch) is recorded if one of them is. A trace that would begin with a call to another program (Redis, HTTP) is polling and is
/// dropped. All other traces share a budget that refills steadily, so that under load the cost of tracing stays the same.
/// </remarks>
public sealed class TraceSampler : Sampler
{
    static readonly SamplingResult Record = new(SamplingDecision.RecordAndSample), Drop = new(SamplingDecision.Drop);

    readonly double tracesPerSecond;
    readonly TimeProvider time;
    readonly Lock gate = new();
    double budget;
    long refilledAt;

    /// <summary>Begins with a full budget.</summary>
    /// <param name="tracesPerSecond">New traces a second; this many may also begin at once. 0 records none.</param>
    /// <param name="time">The clock.</param>
    public TraceSampler(double tracesPerSecond, TimeProvider time)
    {
        (this.tracesPerSecond, this.time) = (tracesPerSecond, time);
        (budget, refilledAt) = (tracesPerSecond, time.GetTimestamp());
    }

    /// <inheritdoc/>
    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        var parent = samplingParameters.ParentContext;
        if (parent.TraceId != default)
            return IsRecorded(parent) ? Record : Drop;
        if (samplingParameters.Links is { } links && links.Any())
            return links.Any(link => IsRecorded(link.Context)) ? Record : Drop;
        if (samplingParameters.Kind == ActivityKind.Client)
            return Drop;
        return TakeFromBudget() ? Record : Drop;
    }

    static bool IsRecorded(ActivityContext context) => context.TraceFlags.HasFlag(ActivityTraceFlags.Recorded);

    bool TakeFromBudget()
    {
        lock (gate)
        {
            var now = time.GetTimestamp();
            budget = Math.Min(tracesPerSecond, budget + time.GetElapsedTime(refilledAt, now).TotalSeconds * tracesPerSecond);
            refilledAt = now;
            if (budget < 1)
                return false;
            budget--;
            return true;
        }
    }
}
