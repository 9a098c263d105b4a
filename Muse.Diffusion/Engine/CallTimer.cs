namespace Muse.Diffusion;

/// <summary>Times the calls that one thread makes into the model. Any thread may ask.</summary>
sealed class CallTimer(TimeProvider time)
{
    const long None = -1;

    long started = None;

    /// <summary>How long the call in progress has been running; zero between calls.</summary>
    public TimeSpan Elapsed => Volatile.Read(ref started) is var since and not None ? time.GetElapsedTime(since) : TimeSpan.Zero;

    /// <summary>Times a call until what is returned is disposed.</summary>
    public Call Start()
    {
        Volatile.Write(ref started, time.GetTimestamp());
        return new Call(this);
    }

    /// <summary>A call in progress.</summary>
    public readonly struct Call(CallTimer timer) : IDisposable
    {
        /// <summary>The call has ended.</summary>
        public void Dispose() => Volatile.Write(ref timer.started, None);
    }
}
