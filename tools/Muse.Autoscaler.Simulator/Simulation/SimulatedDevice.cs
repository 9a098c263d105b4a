namespace Muse.Autoscaler.Simulator;

/// <summary>The simulated device: a step takes a fixed time plus a time per image in the batch.</summary>
/// <param name="Base">The fixed part of a step, seconds.</param>
/// <param name="PerImage">The part of a step per image in the batch, seconds.</param>
/// <param name="Steps">Steps per image.</param>
/// <param name="Slots">Images in a full batch.</param>
public sealed record SimulatedDevice(double Base = 0.040, double PerImage = 0.010, int Steps = 20, int Slots = 12)
{
    /// <summary>The duration of one step with so many images in the batch, seconds.</summary>
    public double Step(int images) => Base + PerImage * images;

    /// <summary>Images per second with a full batch.</summary>
    public double FullRate => Slots / (Step(Slots) * Steps);

    /// <summary>A description for people.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"simulated device: {Base * 1000:0} ms + {PerImage * 1000:0} ms an image for each of {Steps} steps, ")
        + FormattableString.Invariant($"batch of {Slots}: {FullRate:0.00} images a second when full");
}
