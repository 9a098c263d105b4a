namespace Muse.Diffusion;

/// <summary>Lets simulated time pass: waits, without using the processor, and exactly on average.</summary>
/// <remarks>
/// Timers and sleep count in milliseconds and are late by a part of one; what a wait was too short or too long, the next makes up for.
/// </remarks>
sealed class SimulatedClock : IDisposable
{
    static readonly TimeSpan Unit = TimeSpan.FromMilliseconds(1);

    readonly TimeProvider time;
    readonly AutoResetEvent rang = new(false);
    readonly ITimer timer;
    TimeSpan owed;

    public SimulatedClock(TimeProvider time)
    {
        this.time = time;
        timer = time.CreateTimer(_ => rang.Set(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Waits for this long, give or take what is owed.</summary>
    public void Pass(TimeSpan cost)
    {
        owed += cost;
        var from = time.GetTimestamp();
        while (owed >= Unit)
        {
            Wait(TimeSpan.FromMilliseconds(Math.Floor(owed.TotalMilliseconds)));
            var now = time.GetTimestamp();
            owed -= time.GetElapsedTime(from, now);
            from = now;
        }
        // A machine that stood still for a while owes nothing for it.
        if (owed < -cost)
            owed = -cost;
    }

    // A timer wakes two more threads, which would take more of the processor than all else in a step.
    void Wait(TimeSpan duration)
    {
        if (time == TimeProvider.System)
        {
            Thread.Sleep(duration);
            return;
        }
        timer.Change(duration, Timeout.InfiniteTimeSpan);
        rang.WaitOne();
    }

    public void Dispose()
    {
        timer.Dispose();
        rang.Dispose();
    }
}
