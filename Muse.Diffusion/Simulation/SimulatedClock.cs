namespace Muse.Diffusion;

/// <summary>Lets simulated time pass: waits, without using the processor, and exactly on average.</summary>
/// <remarks>Timers count in milliseconds and are late by a part of one; what a wait was too short or too long, the next makes up for.</remarks>
sealed class SimulatedClock : IDisposable
{
    static readonly TimeSpan Unit = TimeSpan.FromMilliseconds(1);

    readonly TimeProvider _time;
    readonly AutoResetEvent _rang = new(false);
    readonly ITimer _timer;
    TimeSpan _owed;

    public SimulatedClock(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(_ => _rang.Set(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Waits for this long, give or take what is owed.</summary>
    public void Pass(TimeSpan cost)
    {
        _owed += cost;
        long from = _time.GetTimestamp();
        while (_owed >= Unit)
        {
            _timer.Change(TimeSpan.FromMilliseconds(Math.Floor(_owed.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
            _rang.WaitOne();
            long now = _time.GetTimestamp();
            _owed -= _time.GetElapsedTime(from, now);
            from = now;
        }
        // A machine that stood still for a while owes nothing for it.
        if (_owed < -cost)
            _owed = -cost;
    }

    public void Dispose()
    {
        _timer.Dispose();
        _rang.Dispose();
    }
}
