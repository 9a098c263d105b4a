namespace Muse.Api;

/// <summary>Counts requests to the original's routes, as the original counted them.</summary>
public sealed class PredictCounter(TimeProvider time)
{
    readonly TimeProvider time = time;
    int current;
    long total;
    long lastSeconds;

    /// <summary>Requests in progress.</summary>
    public int Current => Volatile.Read(ref current);
    /// <summary>Requests since this process started.</summary>
    public long Total => Volatile.Read(ref total);
    /// <summary>Duration of the latest request, whole seconds.</summary>
    public int LastSeconds => (int)Volatile.Read(ref lastSeconds);

    /// <summary>Counts a request in. Dispose the result to count it out.</summary>
    public IDisposable Begin()
    {
        Interlocked.Increment(ref current);
        Interlocked.Increment(ref total);
        return new Counted(this, time.GetTimestamp());
    }

    sealed class Counted(PredictCounter counter, long began) : IDisposable
    {
        public void Dispose()
        {
            Interlocked.Decrement(ref counter.current);
            Volatile.Write(ref counter.lastSeconds, (long)counter.time.GetElapsedTime(began).TotalSeconds);
        }
    }
}
