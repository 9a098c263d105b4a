namespace Muse.Autoscaler.Simulator;

/// <summary>The simulated device: a step takes a fixed time plus a time per picture in the batch.</summary>
/// <param name="Base">The fixed part of a step, seconds.</param>
/// <param name="PerPicture">The part of a step per picture in the batch, seconds.</param>
/// <param name="Steps">Steps per picture.</param>
/// <param name="Slots">Pictures in a full batch.</param>
public sealed record SimulatedDevice(double Base = 0.040, double PerPicture = 0.010, int Steps = 20, int Slots = 12)
{
    /// <summary>The duration of one step with so many pictures in the batch, seconds.</summary>
    public double Step(int pictures) => Base + PerPicture * pictures;

    /// <summary>Pictures per second with a full batch.</summary>
    public double FullRate => Slots / (Step(Slots) * Steps);

    /// <summary>A description for people.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"simulated device: {Base * 1000:0} ms + {PerPicture * 1000:0} ms a picture for each of {Steps} steps, ")
        + FormattableString.Invariant($"batch of {Slots}: {FullRate:0.00} pictures a second when full");
}
