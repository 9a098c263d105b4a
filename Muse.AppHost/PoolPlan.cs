namespace Muse.AppHost;

/// <summary>What a worker's place in the pool is about.</summary>
enum SlotPhase
{
    /// <summary>Nobody runs and nobody should.</summary>
    Idle,
    /// <summary>Started, or being started.</summary>
    Live,
    /// <summary>Died unasked; to be started again at <see cref="SlotFacts.Until"/>.</summary>
    BackingOff,
    /// <summary>Asked to hand back its work; to be stopped when it has, at <see cref="SlotFacts.Until"/> at the latest.</summary>
    Draining,
    /// <summary>Being stopped.</summary>
    Stopping,
}

/// <summary>A worker's place as it stands.</summary>
/// <param name="Index">Its number, which is its GPU's.</param>
/// <param name="Phase">What it is about.</param>
/// <param name="Until">The phase's end, for those that have one.</param>
/// <param name="Batch">How many pictures it paints, by its heartbeat; null where none is known.</param>
/// <param name="HandedBack">Its heartbeat says that it drains and holds nothing.</param>
readonly record struct SlotFacts(int Index, SlotPhase Phase, DateTimeOffset Until, int? Batch, bool HandedBack);

/// <summary>What to do with a worker's place.</summary>
enum PoolMove
{
    /// <summary>Start its worker.</summary>
    Start,
    /// <summary>Ask its worker to hand back its work.</summary>
    Drain,
    /// <summary>Stop its worker.</summary>
    Stop,
    /// <summary>Don't start it again.</summary>
    Forget,
}

/// <summary>Which workers to start and stop, as a pure function of how many are wanted and how they stand.</summary>
static class PoolPlan
{
    /// <summary>Decides.</summary>
    /// <param name="wanted">Workers wanted.</param>
    /// <param name="slots">All places.</param>
    /// <param name="now">The time.</param>
    /// <returns>At most one move for each place.</returns>
    public static IReadOnlyList<(int Index, PoolMove Move)> Decide(int wanted, IReadOnlyList<SlotFacts> slots, DateTimeOffset now)
    {
        var moves = new List<(int, PoolMove)>();
        foreach (var slot in slots)
        {
            if (slot.Phase == SlotPhase.Draining && (slot.HandedBack || slot.Batch is null || now >= slot.Until))
                moves.Add((slot.Index, PoolMove.Stop));
        }

        // Whoever waits to be started again counts: else a worker that can't start would be tried in every place at once.
        var counted = slots.Where(slot => slot.Phase is SlotPhase.Live or SlotPhase.BackingOff).ToList();
        var surplus = counted.Count - wanted;

        // Who is not running goes first, then who has not spoken yet, then who has the least work; of equals the last.
        var leaving = counted.OrderBy(slot => slot.Phase == SlotPhase.BackingOff ? 0 : 1).ThenBy(slot => slot.Batch ?? -1).ThenByDescending(slot => slot.Index)
            .Take(Math.Max(0, surplus)).ToList();
        foreach (var slot in leaving)
            moves.Add((slot.Index, slot.Phase == SlotPhase.BackingOff ? PoolMove.Forget : slot.Batch is null ? PoolMove.Stop : PoolMove.Drain));

        foreach (var slot in counted.Except(leaving))
        {
            if (slot.Phase == SlotPhase.BackingOff && now >= slot.Until)
                moves.Add((slot.Index, PoolMove.Start));
        }

        foreach (var slot in slots.Where(slot => slot.Phase == SlotPhase.Idle).OrderBy(slot => slot.Index).Take(Math.Max(0, -surplus)))
            moves.Add((slot.Index, PoolMove.Start));
        return moves;
    }
}
