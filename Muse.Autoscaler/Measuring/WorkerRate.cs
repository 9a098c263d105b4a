namespace Muse.Autoscaler;

/// <summary>What a worker paints with a full batch: the mean of what the ready ones have measured, and while none has, what was last known or configured.</summary>
sealed class WorkerRate(double? configured)
{
    /// <summary>Takes the workers' reports.</summary>
    public void Read(IReadOnlyList<WorkerHeartbeat> workers)
    {
        var measured = workers.Where(worker => worker is { State: WorkerState.Ready, PicturesPerSecond: > 0 }).ToList();
        if (measured.Count > 0)
            PicturesPerSecond = measured.Average(worker => worker.PicturesPerSecond!.Value);
    }

    /// <summary>Pictures a second, or null while nobody knows.</summary>
    public double? PicturesPerSecond { get; private set; } = configured;
}
