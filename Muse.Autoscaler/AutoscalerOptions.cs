using System.ComponentModel.DataAnnotations;

namespace Muse.Autoscaler;

/// <summary>Settings of the autoscaler, section <c>Autoscaler</c>. A wrong one stops the program at start.</summary>
public sealed class AutoscalerOptions : IValidatableObject
{
    /// <summary>Fewest workers; 0 lets an idle fleet go, and the first request wakes one. 0 to 1,000, default 1.</summary>
    [Range(0, 1000)]
    public int MinWorkers { get; set; } = 1;

    /// <summary>Most workers: no more than the GPUs there are. 1 to 1,000, default 4.</summary>
    [Range(1, 1000)]
    public int MaxWorkers { get; set; } = 4;

    /// <summary>Time between two looks. 1 s to 1 h, default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How the number is decided: <c>drain</c> (default) or <c>step</c>.</summary>
    [AllowedValues(DrainPolicy.Name, StepPolicy.Name, ErrorMessage = "The field Policy must be drain or step.")]
    public string Policy { get; set; } = DrainPolicy.Name;

    /// <summary>Who makes it so: <c>aspire</c> (default: the AppHost's pool reads the decision), <c>kubernetes</c>, <c>keda</c> or <c>none</c>.</summary>
    [AllowedValues(Actors.Aspire, Actors.Kubernetes, Actors.Keda, Actors.None, ErrorMessage = "The field Actor must be aspire, kubernetes, keda or none.")]
    public string Actor { get; set; } = Actors.Aspire;

    /// <summary><c>drain</c>: from request to picture, no longer than this. 0.1 s to 1 h, default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1000000", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan TargetWait { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary><c>drain</c>: a lower number counts once it has held for this long. 0 to 1 h, at least the interval, default 3 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan StabilisationWindow { get; set; } = TimeSpan.FromMinutes(3);

    /// <summary><c>drain</c>: the share by which it aims below the target, and by which arrivals may differ without a change. 0 to 0.5, default 0.2.</summary>
    [Range(0.0, 0.5)]
    public double Tolerance { get; set; } = 0.2;

    /// <summary>From starting a worker until it is ready, as far as one knows. 0 to 1 h, default 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan ColdStart { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Pictures a second that a worker with a full batch paints, until that was measured. 0.001 to 10,000; default unset: one worker is asked for and measured.</summary>
    [Range(0.001, 10_000)]
    public double? PicturesPerSecond { get; set; }

    /// <summary>Pictures that a worker paints at once, until a worker said so. 1 to 256, default 12.</summary>
    [Range(1, 256)]
    public int Slots { get; set; } = 12;

    /// <summary>The port on which KEDA asks, with <see cref="Actor"/> <c>keda</c>. 1 to 65,535, default 6000.</summary>
    [Range(1, 65_535)]
    public int KedaPort { get; set; } = 6000;

    /// <summary>What one setting alone can't tell.</summary>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (MinWorkers > MaxWorkers)
            yield return new($"The field MinWorkers must be between 0 and MaxWorkers, which is {MaxWorkers}; it is {MinWorkers}.", [nameof(MinWorkers)]);
        if (StabilisationWindow < Interval)
            yield return new($"The field StabilisationWindow must be between Interval, which is {Interval}, and 01:00:00; it is {StabilisationWindow}.", [nameof(StabilisationWindow)]);
    }
}
