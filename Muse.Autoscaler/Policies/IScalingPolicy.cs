namespace Muse.Autoscaler;

/// <summary>Decides how many workers are wanted: a pure function of a snapshot and the time.</summary>
public interface IScalingPolicy
{
    /// <summary>Its name in the settings and in every decision.</summary>
    string Name { get; }

    /// <summary>Decides how many workers are wanted.</summary>
    /// <param name="snapshot">The measurement.</param>
    /// <param name="now">The time of the measurement, by the same clock as <see cref="FleetSnapshot.Recommended"/>.</param>
    ScalingAdvice Decide(FleetSnapshot snapshot, DateTimeOffset now);
}

/// <summary>A policy's result.</summary>
/// <param name="Workers">Workers wanted.</param>
/// <param name="Recommended">
/// The number that the measurement alone asks for. <c>Workers</c> may be higher, because of the stabilisation window or an unreliable
/// measurement. The loop keeps it for later decisions.
/// </param>
/// <param name="Reason">A sentence with the numbers in it.</param>
public readonly record struct ScalingAdvice(int Workers, int Recommended, string Reason);
