namespace Muse.Tests.Pages;

/// <summary>Waits for a condition that another process or thread makes true.</summary>
static class Eventually
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Checks the condition until it holds; fails after two minutes.</summary>
    public static async Task IsTrueAsync(Func<bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(Limit);
        using var timer = new PeriodicTimer(Interval);
        while (!condition())
        {
            Assert.False(limit.IsCancellationRequested, $"Not within {Limit.TotalMinutes} min: {what}.");
            await timer.WaitForNextTickAsync();
        }
    }
}
