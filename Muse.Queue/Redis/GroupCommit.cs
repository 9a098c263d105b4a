using System.Diagnostics;

namespace Muse.Queue;

/// <summary>Group commit: what arrives while one call is under way goes together in the next. Idle, an item goes at once and alone; under load, the calls' own cost is shared.</summary>
/// <param name="commit">The call: takes items in the order of their arrival and answers for each. What it throws, all of them get.</param>
/// <param name="most">Most items in one call.</param>
/// <remarks>The call runs in the trace of its first item.</remarks>
sealed class GroupCommit<TItem, TAnswer>(Func<IReadOnlyList<TItem>, Task<IReadOnlyList<TAnswer>>> commit, int most)
{
    readonly Lock gate = new();
    readonly Queue<Waiting> waiting = [];
    bool running;

    /// <summary>Adds an item; completes with its answer.</summary>
    public Task<TAnswer> AddAsync(TItem item)
    {
        var added = new Waiting(item);
        lock (gate)
        {
            waiting.Enqueue(added);
            if (running)
                return added.Task;
            running = true;
        }
        _ = RunAsync();
        return added.Task;
    }

    async Task RunAsync()
    {
        while (Take() is { Count: > 0 } group)
        {
            Activity.Current = group[0].Activity;
            try
            {
                var answers = await commit(group.ConvertAll(added => added.Item));
                for (var i = 0; i < group.Count; i++)
                    group[i].SetResult(answers[i]);
            }
            catch (Exception problem)
            {
                foreach (var added in group)
                    added.TrySetException(problem); // Each adder sees it.
            }
        }
    }

    List<Waiting> Take()
    {
        var group = new List<Waiting>();
        lock (gate)
        {
            while (group.Count < most && waiting.TryDequeue(out var added))
                group.Add(added);
            running = group.Count > 0;
        }
        return group;
    }

    sealed class Waiting(TItem item) : TaskCompletionSource<TAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TItem Item => item;
        public Activity? Activity { get; } = Activity.Current;
    }
}
