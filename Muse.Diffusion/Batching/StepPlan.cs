namespace Muse.Diffusion;

/// <summary>What is to happen in one step.</summary>
public sealed class StepPlan<T> where T : BatchMember
{
    /// <summary>Cancelled members that have left, from the batch or from the queue for it.</summary>
    public List<T> Left { get; } = [];
    /// <summary>Finished members that have left.</summary>
    public List<T> Released { get; } = [];
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
        Left.Clear();
        Released.Clear();
        Joined.Clear();
        Running.Clear();
        Rows = 0;
        WakeAt = null;
    }
}
