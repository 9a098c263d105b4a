namespace Muse.Autoscaler;

/// <summary>What painting costs on the simulated device: a step takes a base and something for each picture in the batch.</summary>
/// <param name="Base">A step's cost whatever the batch, seconds.</param>
/// <param name="PerPicture">A step's cost for each picture in the batch, seconds.</param>
/// <param name="Steps">Steps that a picture takes.</param>
/// <param name="Slots">Pictures in a full batch.</param>
public sealed record SimulatedDevice(double Base = 0.040, double PerPicture = 0.010, int Steps = 20, int Slots = 12)
{
    /// <summary>One step of a batch, seconds.</summary>
    public double Step(int pictures) => Base + PerPicture * pictures;

    /// <summary>Pictures a second with a full batch.</summary>
    public double FullRate => Slots / (Step(Slots) * Steps);

    /// <summary>As a person would read it.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"simulated device: {Base * 1000:0} ms + {PerPicture * 1000:0} ms a picture for each of {Steps} steps, batch of {Slots}: {FullRate:0.00} pictures a second when full");
}
