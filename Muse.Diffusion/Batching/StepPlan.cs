namespace Muse.Diffusion;

/// <summary>The members that join, run and leave at one step.</summary>
public sealed class StepPlan<T> where T : BatchMember
{
    /// <summary>Cancelled or failed members, removed from the batch or from those that wait for it.</summary>
    public List<T> Aborted { get; } = [];
    /// <summary>Members whose last evaluation is done, removed from the batch.</summary>
    public List<T> Finished { get; } = [];
    /// <summary>Members that have joined.</summary>
    public List<T> Joined { get; } = [];
    /// <summary>Members to run: of one key, within the row budget.</summary>
    public List<T> Running { get; } = [];
    /// <summary>How many rows they take.</summary>
    public int Rows { get; internal set; }
    /// <summary>When to plan again although nothing has changed; null for never.</summary>
    public TimeSpan? WakeAt { get; internal set; }

    internal void Clear()
    {
        Aborted.Clear();
        Finished.Clear();
        Joined.Clear();
        Running.Clear();
        Rows = 0;
        WakeAt = null;
    }
}
