using System.Diagnostics;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>One image in flight: the queue's item, the engine's request, and the progress.</summary>
sealed class InFlightImage(string id, WorkItem item, GenerationRequest request, Activity? span)
{
    readonly Lock gate = new();
    Task last = Task.CompletedTask;

    /// <summary>The engine's id for it. Not the item's own: this worker may get an item again while the engine still has its first
    /// try.</summary>
    public string Id => id;
    public WorkItem Item => item;
    public GenerationRequest Request => request;
    public Activity? Span => span;
    /// <summary>Its slot in the engine's batch; -1 while it has none.</summary>
    public int Slot { get; set; } = -1;
    public int Step { get; set; }
    public bool InEngine { get; set; } = true;
    public long Reported { get; set; }

    /// <summary>Whether a report is on the way to Redis.</summary>
    public bool IsReporting
    {
        get { lock (gate) return !last.IsCompleted; }
    }

    /// <summary>Runs actions one after the other, so that they reach Redis in their order.</summary>
    public Task Then(Func<Task> next)
    {
        lock (gate)
            return last = After(last);

        async Task After(Task before)
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // Its own caller sees how it ended.
            await next();
        }
    }
}
