namespace Muse.Queue;

/// <summary>
/// Which lane a worker's free slots are for: interactive before batch, without starving batch. Of every <see cref="Cycle"/> slots, one is
/// offered to batch first.
/// </summary>
static class LanePolicy
{
    /// <summary>One of this many slots is offered to batch first.</summary>
    public const int Cycle = 5;

    /// <summary>How many of the next <paramref name="count"/> slots are offered to batch first.</summary>
    /// <param name="taken">Images taken before.</param>
    /// <param name="count">Slots to fill now.</param>
    public static int BatchShare(long taken, int count) => (int)((taken + count) / Cycle - taken / Cycle);
}
