namespace Muse.Diffusion;

/// <summary>Decides, before each step, which requests join the batch, run, and leave. It uses no clock, no tensor and no device.</summary>
/// <remarks>
/// One rule decides all turns: the member that has gone longest without running leads the step, and those that can run with it
/// do so in the same order, until the row budget is full. So sizes take turns, and no member starves. A waiting request that
/// others have overtaken <see cref="MaxOvertaken"/> times joins whether or not its rows fit, and takes turns with the rest.
/// </remarks>
/// <param name="maxBatchSize">Most members at once.</param>
/// <param name="maxRows">Most rows in one step; a member that needs more by itself runs alone.</param>
/// <param name="mode">Whether members join and leave at every step, or together.</param>
/// <param name="batchDelay">In static mode, how long a batch that is not full waits for more requests.</param>
/// <param name="equalTimesteps">Whether all rows of one step must have the same timestep.</param>
public sealed class Batcher<T>(int maxBatchSize, int maxRows, BatchingMode mode, TimeSpan batchDelay, bool equalTimesteps)
    where T : BatchMember
{
    /// <summary>How often a request may be overtaken by others that need fewer rows.</summary>
    public const int MaxOvertaken = 4;

    readonly List<T> waiting = [];
    readonly List<T> members = [];
    readonly Dictionary<(int Width, int Height), int> learnedLimits = [];
    readonly StepPlan<T> plan = new();
    BatchKey turn;
    int stepsOfTurn;
    long step;

    /// <summary>How many steps one size runs, while it has members, before the next size has its turn. Default 1.</summary>
    public int StepsPerTurn { get; set; } = 1;

    /// <summary>The members of the batch, in the order of their joining.</summary>
    public IReadOnlyList<T> Members => members;

    /// <summary>Those that have not joined yet, in the order of their arrival.</summary>
    public IReadOnlyList<T> Waiting => waiting;

    /// <summary>Adds a member, which waits to join.</summary>
    /// <param name="member">The member.</param>
    /// <param name="now">The time on any clock that the calls to <see cref="Plan"/> share.</param>
    public void Add(T member, TimeSpan now)
    {
        member.Arrived = now;
        waiting.Add(member);
    }

    /// <summary>Removes a member from the batch, or from those that wait.</summary>
    public void Remove(T member)
    {
        if (!members.Remove(member))
            waiting.Remove(member);
    }

    /// <summary>Halves the row limit of a size, because this many rows did not fit into the device's memory.</summary>
    /// <returns>The new limit.</returns>
    public int HalveRowLimit(int width, int height, int rows) => learnedLimits[(width, height)] = Math.Max(1, rows / 2);

    /// <summary>Most rows that one step of a size may have.</summary>
    public int RowLimit(int width, int height) => Math.Min(maxRows, learnedLimits.GetValueOrDefault((width, height), int.MaxValue));

    /// <summary>Plans the next step. Returns the same object every time.</summary>
    /// <param name="now">Used in static mode alone, for the batch delay.</param>
    public StepPlan<T> Plan(TimeSpan now)
    {
        plan.Clear();
        RemoveAborted(members);
        RemoveAborted(waiting);
        RemoveFinished();
        if (mode == BatchingMode.Continuous)
            JoinContinuously();
        else if (members.Count == 0 && waiting.Count > 0)
            JoinTogether(now);
        Run();
        return plan;
    }

    void RemoveAborted(List<T> from)
    {
        for (var i = 0; i < from.Count; i++)
        {
            if (from[i].Aborted)
            {
                plan.Aborted.Add(from[i]);
                from.RemoveAt(i--);
            }
        }
    }

    void RemoveFinished()
    {
        if (mode == BatchingMode.Static && members.Exists(static m => !m.Finished))
            return;
        for (var i = 0; i < members.Count; i++)
        {
            if (members[i].Finished)
            {
                plan.Finished.Add(members[i]);
                members.RemoveAt(i--);
            }
        }
    }

    // A candidate whose rows don't fit does not block those behind it: only members with its own key use the rows that it needs.
    void JoinContinuously()
    {
        for (var i = 0; i < waiting.Count && members.Count < maxBatchSize; i++)
        {
            var candidate = waiting[i];
            if (candidate.Overtaken < MaxOvertaken && !Fits(candidate))
                continue;
            waiting.RemoveAt(i--);
            for (var before = 0; before <= i; before++)
                waiting[before].Overtaken++;
            Join(candidate);
        }
    }

    void JoinTogether(TimeSpan now)
    {
        var first = waiting[0];
        int count = 0, rows = 0, limit = RowLimit(first.Key.Width, first.Key.Height);
        var full = false;
        foreach (var candidate in waiting)
        {
            if (candidate.Key != first.Key)
                continue;
            if (count > 0 && rows + candidate.Rows > limit)
            {
                full = true;
                break;
            }
            rows += candidate.Rows;
            if (++count == maxBatchSize)
            {
                full = true;
                break;
            }
        }
        if (!full && now - first.Arrived < batchDelay)
        {
            plan.WakeAt = first.Arrived + batchDelay;
            return;
        }
        for (var i = 0; count > 0; i++)
        {
            if (waiting[i].Key != first.Key)
                continue;
            var candidate = waiting[i];
            waiting.RemoveAt(i--);
            Join(candidate);
            count--;
        }
    }

    bool Fits(T candidate)
    {
        var rows = 0;
        foreach (var member in members)
        {
            if (member.Key == candidate.Key)
                rows += member.Rows;
        }

        return rows == 0 || rows + candidate.Rows <= RowLimit(candidate.Key.Width, candidate.Key.Height);
    }

    void Join(T member)
    {
        member.SlotIndex = FreeSlot();
        member.LastRan = step;
        members.Add(member);
        plan.Joined.Add(member);
    }

    int FreeSlot()
    {
        for (var slot = 0; ; slot++)
        {
            var taken = false;
            foreach (var member in members)
                taken |= member.SlotIndex == slot;
            if (!taken)
                return slot;
        }
    }

    void Run()
    {
        var leader = (stepsOfTurn < StepsPerTurn ? NextToRun(null, turn) : null) ?? NextToRun(null);
        if (leader is null)
            return;
        step++;
        stepsOfTurn = leader.Key == turn && stepsOfTurn < StepsPerTurn ? stepsOfTurn + 1 : 1;
        turn = leader.Key;
        var limit = RowLimit(leader.Key.Width, leader.Key.Height);
        for (var member = leader; member is not null; member = NextToRun(leader))
        {
            if (plan.Running.Count > 0 && plan.Rows + member.Rows > limit)
                break;
            member.LastRan = step;
            plan.Running.Add(member);
            plan.Rows += member.Rows;
        }
    }

    // Members are kept in the order of joining, so the first with the smallest LastRan is also the one that joined first.
    T? NextToRun(T? leader, BatchKey? key = null)
    {
        T? next = null;
        foreach (var member in members)
        {
            if (member.Finished || (key is { } only && member.Key != only)
                || (leader is not null && (member.LastRan == step || !RunsWith(member, leader))))
            {
                continue;
            }

            if (next is null || member.LastRan < next.LastRan)
                next = member;
        }
        return next;
    }

    bool RunsWith(T member, T leader) =>
        member.Key == leader.Key && (!equalTimesteps || member.Timestep == leader.Timestep);
}
