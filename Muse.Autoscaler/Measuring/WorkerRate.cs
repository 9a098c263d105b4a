namespace Muse.Autoscaler;

/// <summary>
/// The rate of a worker with a full batch: the mean of what ready workers measured. Without a measurement, the last known or the configured
/// rate.
/// </summary>
sealed class WorkerRate(double? configured)
{
    /// <summary>Reads the rates from the heartbeats.</summary>
    public void Read(IReadOnlyList<WorkerHeartbeat> workers)
    {
        var measured = workers.Where(worker => worker is { State: WorkerState.Ready, ImagesPerSecond: > 0 }).ToList();
        if (measured.Count > 0)
            ImagesPerSecond = measured.Average(worker => worker.ImagesPerSecond!.Value);
    }

    /// <summary>Images per second, or null while unknown.</summary>
    public double? ImagesPerSecond { get; private set; } = configured;
}
