namespace Muse.Autoscaler;

/// <summary>The input of a scaling policy.</summary>
public sealed record FleetSnapshot
{
    /// <summary>Waiting and pending images and the counters.</summary>
    public required QueueMeasurement Queue { get; init; }
    /// <summary>
    /// Images per second that arrived over the last interval; null before it has passed and after the counters were reset.
    /// </summary>
    public double? Arrivals { get; init; }
    /// <summary>The same over the last two intervals, for extrapolation; null before they have passed.</summary>
    public double? SteadyArrivals { get; init; }
    /// <summary>Images per second of one worker with a full batch, measured or configured; null while unknown.</summary>
    public double? WorkerRate { get; init; }
    /// <summary>Images in a worker's full batch.</summary>
    public required int Slots { get; init; }
    /// <summary>The workers that send heartbeats.</summary>
    public required IReadOnlyList<WorkerFacts> Workers { get; init; }
    /// <summary>The number decided last.</summary>
    public required int Desired { get; init; }
    /// <summary>Earlier values of <see cref="ScalingAdvice.Recommended"/>, newest last.</summary>
    public IReadOnlyList<Recommendation> Recommended { get; init; } = [];
    /// <summary>Why this measurement is not reliable enough to scale down, or null.</summary>
    public string? ScaleDownBlocker { get; init; }

    /// <summary>Images waiting and in progress.</summary>
    public long Backlog => Queue.Waiting + Queue.Pending;
}

/// <summary>One worker, for the policies.</summary>
/// <param name="Worker">Its name.</param>
/// <param name="State">Its state.</param>
/// <param name="Age">How long it has run, by its own clock.</param>
/// <param name="Stuck">Whether it has been starting for much longer than a cold start takes.</param>
/// <param name="Images">The images in its batch.</param>
/// <param name="Instance">The name of its pod or of its resource in Aspire, or null.</param>
public readonly record struct WorkerFacts(
    string Worker, WorkerState State, TimeSpan Age, bool Stuck = false, int Images = 0, string? Instance = null);

/// <summary>An earlier recommendation of a policy.</summary>
/// <param name="At">When it was made.</param>
/// <param name="Workers">The number of workers.</param>
public readonly record struct Recommendation(DateTimeOffset At, int Workers);
