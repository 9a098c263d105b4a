namespace Muse.Autoscaler;

/// <summary>Arrivals a second from a counter that is read at every look.</summary>
/// <remarks>Over an interval at least: a look that came early would make much of a few arrivals.</remarks>
sealed class ArrivalRate(TimeSpan interval)
{
    readonly List<(DateTimeOffset At, long Count)> readings = [];
    // A timer that fires a little early is still an interval.
    TimeSpan Enough => interval * 0.9;

    /// <summary>Takes a reading. A counter that fell began anew, and what was known is forgotten.</summary>
    /// <returns>Whether it fell.</returns>
    public bool Read(DateTimeOffset at, long count)
    {
        var fell = readings.Count > 0 && count < readings[^1].Count;
        if (fell)
            readings.Clear();
        readings.Add((at, count));
        readings.RemoveAll(reading => at - reading.At > interval * 4);
        return fell;
    }

    /// <summary>Over the last interval, or null.</summary>
    public double? Last => Before(readings.Count - 1) is { } before ? Between(before, readings.Count - 1) : null;

    /// <summary>Over the last two intervals, or null.</summary>
    public double? LastTwo => Before(readings.Count - 1) is { } before && Before(before) is { } earlier ? Between(earlier, readings.Count - 1) : null;

    int? Before(int index) => index < 0 ? null : readings.FindLastIndex(reading => readings[index].At - reading.At >= Enough) is var found and >= 0 ? found : null;

    double Between(int from, int to) => (readings[to].Count - readings[from].Count) / (readings[to].At - readings[from].At).TotalSeconds;
}
