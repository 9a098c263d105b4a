namespace Muse.Tests.Pages;

/// <summary>Waits for what comes true in its own time, on the other side of the system.</summary>
static class Eventually
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(20);

    /// <summary>Asks again and again until the condition holds.</summary>
    public static async Task IsTrueAsync(Func<bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(Limit);
        using var timer = new PeriodicTimer(Between);
        while (!condition())
        {
            Assert.False(limit.IsCancellationRequested, $"It did not come true within {Limit.TotalSeconds} s that {what}.");
            await timer.WaitForNextTickAsync();
        }
    }
}
