namespace Muse.Autoscaler;

/// <summary>
/// The rule of Lightning Muse (2022): one more worker when there are more images than workers × 12, one fewer when there are fewer
/// images than the minimum of workers.
/// </summary>
/// <remarks>
/// The original computed its upper limit once, from the initial number of workers, so it kept adding workers.
/// Here the limit grows with the workers. With a minimum of 0, the last worker stops when there is no image.
/// </remarks>
public sealed class StepPolicy(AutoscalerOptions options) : IScalingPolicy
{
    /// <summary>Its name in the settings.</summary>
    public const string PolicyName = "step";

    /// <inheritdoc/>
    public string Name => PolicyName;

    /// <inheritdoc/>
    public ScalingAdvice Decide(FleetSnapshot snapshot, DateTimeOffset now)
    {
        var current = Math.Clamp(snapshot.Desired, options.MinWorkers, options.MaxWorkers);
        var images = snapshot.Backlog;
        var (upper, lower) = ((long)current * snapshot.Slots, Math.Max(1, options.MinWorkers));
        if (images > upper)
        {
            return current < options.MaxWorkers
                ? Advice(current + 1, $"{images} images are more than {current} × {snapshot.Slots} = {upper}: one more, {current + 1}")
                : Advice(current,
                    $"{images} images are more than {current} × {snapshot.Slots} = {upper}, but {options.MaxWorkers} is the maximum");
        }

        if (images >= lower || current == options.MinWorkers)
            return Advice(current, $"{images} images are between {lower} and {current} × {snapshot.Slots} = {upper}: still {current}");
        return snapshot.ScaleDownBlocker is { } blocker
            ? new(current, current - 1, $"{images} images are fewer than {lower}, but {blocker}: still {current}")
            : Advice(current - 1, $"{images} images are fewer than {lower}: one fewer, {current - 1}");
    }

    static ScalingAdvice Advice(int workers, string reason) => new(workers, workers, reason);
}
