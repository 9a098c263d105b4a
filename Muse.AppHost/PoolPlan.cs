namespace Muse.AppHost;

/// <summary>What a worker of the pool is doing.</summary>
enum WorkerPhase
{
    /// <summary>It does not run and should not.</summary>
    Idle,
    /// <summary>It runs, or is being started.</summary>
    Live,
    /// <summary>Its process ended unexpectedly, or could not be started. It is started again at <see cref="WorkerFacts.Until"/>.</summary>
    BackingOff,
    /// <summary>It was asked to hand back its work. It is stopped when it has, at <see cref="WorkerFacts.Until"/> at the latest.</summary>
    Draining,
    /// <summary>It is being stopped.</summary>
    Stopping,
}

/// <summary>What is known of a worker.</summary>
/// <param name="Index">Its number, which is its GPU's.</param>
/// <param name="Phase">What it is doing.</param>
/// <param name="Until">The phase's end, for those that have one.</param>
/// <param name="Batch">How many images it generates, by its heartbeat; null where none is known.</param>
/// <param name="HandedBack">Its heartbeat says that it drains and holds nothing.</param>
readonly record struct WorkerFacts(int Index, WorkerPhase Phase, DateTimeOffset Until, int? Batch, bool HandedBack);

/// <summary>What to do with a worker.</summary>
enum PoolAction
{
    /// <summary>Start it.</summary>
    Start,
    /// <summary>Ask it to hand back its work.</summary>
    Drain,
    /// <summary>Stop it.</summary>
    Stop,
    /// <summary>Don't start it again after its back-off.</summary>
    Forget,
}

/// <summary>Which workers to start and stop, as a pure function of how many are wanted and what each is doing.</summary>
static class PoolPlan
{
    /// <summary>Decides.</summary>
    /// <param name="wanted">Workers wanted.</param>
    /// <param name="workers">All workers of the pool.</param>
    /// <param name="now">The time.</param>
    /// <returns>At most one action for each worker.</returns>
    public static IReadOnlyList<(int Index, PoolAction Action)> Decide(int wanted, IReadOnlyList<WorkerFacts> workers, DateTimeOffset now)
    {
        var actions = new List<(int, PoolAction)>();
        foreach (var worker in workers)
        {
            if (worker.Phase == WorkerPhase.Draining && (worker.HandedBack || worker.Batch is null || now >= worker.Until))
                actions.Add((worker.Index, PoolAction.Stop));
        }

        // A worker that waits to be started again counts. Otherwise a worker that can't start would be tried with every index at once.
        var counted = workers.Where(worker => worker.Phase is WorkerPhase.Live or WorkerPhase.BackingOff).ToList();
        var surplus = counted.Count - wanted;

        // First those that do not run, then those without a heartbeat, then those with the least work; of equal ones the highest index.
        var removed = counted
            .OrderBy(worker => worker.Phase == WorkerPhase.BackingOff ? 0 : 1)
            .ThenBy(worker => worker.Batch ?? -1)
            .ThenByDescending(worker => worker.Index)
            .Take(Math.Max(0, surplus))
            .ToList();
        foreach (var worker in removed)
            actions.Add((worker.Index, RemovalAction(worker)));

        foreach (var worker in counted.Except(removed))
        {
            if (worker.Phase == WorkerPhase.BackingOff && now >= worker.Until)
                actions.Add((worker.Index, PoolAction.Start));
        }
        var idle = workers.Where(worker => worker.Phase == WorkerPhase.Idle).OrderBy(worker => worker.Index);
        foreach (var worker in idle.Take(Math.Max(0, -surplus)))
            actions.Add((worker.Index, PoolAction.Start));
        return actions;
    }

    static PoolAction RemovalAction(WorkerFacts worker) => worker switch
    {
        { Phase: WorkerPhase.BackingOff } => PoolAction.Forget,
        { Batch: null } => PoolAction.Stop,
        _ => PoolAction.Drain,
    };
}
