namespace Muse.Autoscaler;

/// <summary>Everything that a policy may know: facts, no clock, no connection.</summary>
public sealed record FleetSnapshot
{
    /// <summary>The queue's own numbers.</summary>
    public required QueueMeasurement Queue { get; init; }
    /// <summary>Pictures a second that arrived since the look an interval ago; null where there was none, or where Redis' counters began anew.</summary>
    public double? Arrivals { get; init; }
    /// <summary>The same over two intervals: steady enough to be extrapolated; null until there were two.</summary>
    public double? SteadyArrivals { get; init; }
    /// <summary>Pictures a second that one worker paints with a full batch, as measured or as configured; null while nobody knows.</summary>
    public double? WorkerRate { get; init; }
    /// <summary>Pictures that one worker paints at once.</summary>
    public required int Slots { get; init; }
    /// <summary>The workers heard of.</summary>
    public required IReadOnlyList<WorkerFacts> Workers { get; init; }
    /// <summary>The number decided last.</summary>
    public required int Desired { get; init; }
    /// <summary>What a policy's rule gave at earlier looks, before any hold; newest last.</summary>
    public IReadOnlyList<Recommendation> Recommended { get; init; } = [];
    /// <summary>Why this measurement can't be trusted to scale down, or null.</summary>
    public string? Doubt { get; init; }

    /// <summary>Pictures waiting and in work.</summary>
    public long Backlog => Queue.Waiting + Queue.Pending;
}

/// <summary>One worker in facts.</summary>
/// <param name="Worker">Its name.</param>
/// <param name="State">What it is about.</param>
/// <param name="Age">How long it has run, by its own clock.</param>
/// <param name="Stuck">Whether it has been starting for far longer than a cold start takes.</param>
public readonly record struct WorkerFacts(string Worker, WorkerState State, TimeSpan Age, bool Stuck = false);

/// <summary>A rule's number at a look.</summary>
/// <param name="At">When.</param>
/// <param name="Workers">How many.</param>
public readonly record struct Recommendation(DateTimeOffset At, int Workers);
