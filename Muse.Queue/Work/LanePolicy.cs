namespace Muse.Queue;

/// <summary>Interactive before batch, without starving batch: of every <see cref="Cycle"/> pictures taken, one place is offered to batch first.</summary>
static class LanePolicy
{
    /// <summary>One of this many places.</summary>
    public const int Cycle = 5;

    /// <summary>How many of the next <paramref name="count"/> places are offered to batch first.</summary>
    /// <param name="taken">Pictures taken before.</param>
    /// <param name="count">Places to fill now.</param>
    public static int BatchShare(long taken, int count) => (int)((taken + count) / Cycle - taken / Cycle);
}
