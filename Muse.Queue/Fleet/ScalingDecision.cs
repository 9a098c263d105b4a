namespace Muse.Queue;

/// <summary>A decision of the autoscaler.</summary>
/// <param name="Workers">Workers wanted.</param>
/// <param name="Reason">A sentence with the numbers in it.</param>
/// <param name="At">When it was made.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Measured">The measurement it is based on.</param>
public sealed record ScalingDecision(int Workers, string Reason, DateTimeOffset At, string Policy, QueueMeasurement Measured);
