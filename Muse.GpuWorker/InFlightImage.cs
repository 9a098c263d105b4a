using System.Diagnostics;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>One image in flight: the queue's item, the engine's request, and the progress.</summary>
sealed class InFlightImage(string id, WorkItem item, GenerationRequest request, Activity? span)
{
    readonly Lock gate = new();
    Task last = Task.CompletedTask;

    /// <summary>
    /// Its id in the engine. It differs from the item's id, because this worker may get an item again while the engine still has it.
    /// </summary>
    public string Id => id;
    public WorkItem Item => item;
    public GenerationRequest Request => request;
    public Activity? Span => span;
    /// <summary>Its slot in the engine's batch; -1 while it has none.</summary>
    public int Slot { get; set; } = -1;
    public int Step { get; set; }
    /// <summary>Whether the engine still has it. If not, its outcome is being stored in Redis.</summary>
    public bool InEngine { get; set; } = true;
    /// <summary>The time of the last progress report, as <see cref="TimeProvider.GetTimestamp"/> gives it.</summary>
    public long Reported { get; set; }

    /// <summary>Whether an action of <see cref="RunInOrder"/> has not ended yet.</summary>
    public bool IsReporting
    {
        get { lock (gate) return !last.IsCompleted; }
    }

    /// <summary>Runs actions one after the other, so that they reach Redis in their order.</summary>
    public Task RunInOrder(Func<Task> next)
    {
        lock (gate)
            return last = After(last);

        async Task After(Task previous)
        {
            await previous.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // Its own caller sees its exception.
            await next();
        }
    }
}
