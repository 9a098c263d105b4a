using System.Diagnostics;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>One picture in work: what the queue gave, what the engine was asked, and how far it is.</summary>
sealed class Painting(string id, WorkItem item, GenerationRequest request, Activity? span)
{
    readonly Lock gate = new();
    Task last = Task.CompletedTask;

    /// <summary>The engine's id for it. Not the picture's own: this worker may get a picture again while the engine still has its first try.</summary>
    public string Id => id;
    public WorkItem Item => item;
    public GenerationRequest Request => request;
    public Activity? Span => span;
    public int Place { get; set; } = -1;
    public int Step { get; set; }
    public bool InEngine { get; set; } = true;
    public long Reported { get; set; }

    /// <summary>Whether something of it is on the way to Redis.</summary>
    public bool IsTelling
    {
        get { lock (gate) return !last.IsCompleted; }
    }

    /// <summary>Does things one after the other, so that Redis hears of them in their order.</summary>
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
