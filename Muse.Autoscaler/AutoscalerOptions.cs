using System.ComponentModel.DataAnnotations;

namespace Muse.Autoscaler;

/// <summary>Settings of the autoscaler, section <c>Autoscaler</c>. An invalid one stops the program at start.</summary>
public sealed class AutoscalerOptions : IValidatableObject
{
    /// <summary>
    /// Minimum of workers. With 0, an idle fleet scales to zero and the first request starts a worker. 0 to 1,000, default 1.
    /// </summary>
    [Range(0, 1000)]
    public int MinWorkers { get; set; } = 1;

    /// <summary>Maximum of workers. Choose no more than there are GPUs. 1 to 1,000, default 4.</summary>
    [Range(1, 1000)]
    public int MaxWorkers { get; set; } = 4;

    /// <summary>Time between two measurements. 1 s to 1 h, default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The scaling policy: <c>drain</c> (default) or <c>step</c>.</summary>
    [AllowedValues(DrainPolicy.PolicyName, StepPolicy.PolicyName, ErrorMessage = "The field Policy must be drain or step.")]
    public string Policy { get; set; } = DrainPolicy.PolicyName;

    /// <summary>
    /// Who starts and stops workers: <c>aspire</c> (default: the AppHost's pool reads the decision), <c>kubernetes</c>, <c>keda</c> or
    /// <c>none</c>.
    /// </summary>
    [AllowedValues(Actors.Aspire, Actors.Kubernetes, Actors.Keda, Actors.None,
        ErrorMessage = "The field Actor must be aspire, kubernetes, keda or none.")]
    public string Actor { get; set; } = Actors.Aspire;

    /// <summary><c>drain</c>: the target for the time from request to image. 0.1 s to 1 h, default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1000000", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan TargetWait { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// <c>drain</c>: how long a lower number must hold before workers are stopped. 0 to 1 h, at least the interval, default 3 min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan StabilisationWindow { get; set; } = TimeSpan.FromMinutes(3);

    /// <summary>
    /// <c>drain</c>: the share by which it aims below the target, and by which arrivals may differ from the capacity without a change. 0 to
    /// 0.5, default 0.2.
    /// </summary>
    [Range(0.0, 0.5)]
    public double Tolerance { get; set; } = 0.2;

    /// <summary>The expected time from starting a worker until it is ready. 0 to 1 h, default 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00", ParseLimitsInInvariantCulture = true, ConvertValueInInvariantCulture = true)]
    public TimeSpan ColdStart { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Images per second of a worker with a full batch, used until a worker has measured it. 0.001 to 10,000; default unset: one worker
    /// is started and measured.
    /// </summary>
    [Range(0.001, 10_000)]
    public double? PicturesPerSecond { get; set; }

    /// <summary>Images in a full batch, used until a worker reports its own number. 1 to 256, default 12.</summary>
    [Range(1, 256)]
    public int Slots { get; set; } = 12;

    /// <summary>The gRPC port for KEDA, opened if <see cref="Actor"/> is <c>keda</c>. 1 to 65,535, default 6000.</summary>
    [Range(1, 65_535)]
    public int KedaPort { get; set; } = 6000;

    /// <summary>Checks settings that depend on each other.</summary>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (MinWorkers > MaxWorkers)
        {
            yield return new(
                $"The field MinWorkers must be between 0 and MaxWorkers, which is {MaxWorkers}; it is {MinWorkers}.", [nameof(MinWorkers)]);
        }

        if (StabilisationWindow < Interval)
        {
            yield return new(
                $"The field StabilisationWindow must be between Interval, which is {Interval}, and 01:00:00; it is {StabilisationWindow}.",
                [nameof(StabilisationWindow)]);
        }
    }
}
