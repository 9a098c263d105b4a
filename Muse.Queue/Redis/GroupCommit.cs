using System.Diagnostics;

namespace Muse.Queue;

/// <summary>
/// Group commit: items that arrive during a call are sent together in the next one. When idle, an item is sent at once and alone. Under
/// load, items share the fixed cost of a call.
/// </summary>
/// <param name="commit">
/// The call: takes items in the order of arrival and returns one result each. An exception goes to all of them.
/// </param>
/// <param name="maxItems">Maximum of items in one call.</param>
/// <remarks>The call runs in the trace of its first item.</remarks>
sealed class GroupCommit<TItem, TResult>(Func<IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> commit, int maxItems)
{
    readonly Lock gate = new();
    readonly Queue<Waiting> waiting = [];
    bool running;

    /// <summary>Adds an item and returns its result.</summary>
    public Task<TResult> AddAsync(TItem item)
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
                var results = await commit(group.ConvertAll(added => added.Item));
                for (var i = 0; i < group.Count; i++)
                    group[i].SetResult(results[i]);
            }
            catch (Exception exception)
            {
                foreach (var added in group)
                    added.TrySetException(exception);
            }
        }
    }

    List<Waiting> Take()
    {
        var group = new List<Waiting>();
        lock (gate)
        {
            while (group.Count < maxItems && waiting.TryDequeue(out var added))
                group.Add(added);
            running = group.Count > 0;
        }
        return group;
    }

    sealed class Waiting(TItem item) : TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public TItem Item => item;
        public Activity? Activity { get; } = Activity.Current;
    }
}
