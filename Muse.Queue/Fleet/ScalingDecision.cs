namespace Muse.Queue;

/// <summary>A decision of the autoscaler.</summary>
/// <param name="Workers">Workers wanted.</param>
/// <param name="Reason">A sentence with the numbers in it.</param>
/// <param name="At">When it was made.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Measured">The measurement it is based on.</param>
public sealed record ScalingDecision(int Workers, string Reason, DateTimeOffset At, string Policy, QueueMeasurement Measured)
{
    /// <summary>The epoch of the leader that made it; 0 where it was stored before there were leaders.</summary>
    public long Epoch { get; init; }
    /// <summary>The name of the leader that made it, or null.</summary>
    public string? Leader { get; init; }
}
