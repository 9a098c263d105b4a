namespace Muse.Autoscaler;

/// <summary>How many workers there should be: a pure function of facts.</summary>
public interface IScalingPolicy
{
    /// <summary>Its name in the settings and in every decision.</summary>
    string Title { get; }

    /// <summary>Decides.</summary>
    /// <param name="snapshot">The facts.</param>
    /// <param name="now">The time of the look, on the same steady clock as <see cref="FleetSnapshot.Recommended"/>.</param>
    ScalingAdvice Decide(FleetSnapshot snapshot, DateTimeOffset now);
}

/// <summary>A policy's answer.</summary>
/// <param name="Workers">How many there should be.</param>
/// <param name="Recommended">What the rule gave before it was held up by a window or a doubt; to be remembered for the next look.</param>
/// <param name="Reason">A sentence with the numbers in it.</param>
public readonly record struct ScalingAdvice(int Workers, int Recommended, string Reason);
