namespace Muse.Autoscaler;

/// <summary>Arrivals per second, from readings of a counter.</summary>
/// <remarks>Measured over at least one interval, since a shorter one makes the rate noisy.</remarks>
sealed class ArrivalRate(TimeSpan interval)
{
    readonly List<(DateTimeOffset At, long Count)> readings = [];
    // Allows for a timer that fires a little early.
    TimeSpan MinimumSpan => interval * 0.9;

    /// <summary>Adds a reading. A counter that fell was reset: earlier readings are dropped.</summary>
    /// <returns>Whether the counter was reset.</returns>
    public bool Read(DateTimeOffset at, long count)
    {
        var reset = readings.Count > 0 && count < readings[^1].Count;
        if (reset)
            readings.Clear();
        readings.Add((at, count));
        readings.RemoveAll(reading => at - reading.At > interval * 4);
        return reset;
    }

    /// <summary>Arrivals per second over the last interval, or null.</summary>
    public double? Last => Before(readings.Count - 1) is { } before ? Between(before, readings.Count - 1) : null;

    /// <summary>Arrivals per second over the last two intervals, or null.</summary>
    public double? LastTwo =>
        Before(readings.Count - 1) is { } before && Before(before) is { } earlier ? Between(earlier, readings.Count - 1) : null;

    int? Before(int index)
    {
        if (index < 0)
            return null;
        var found = readings.FindLastIndex(reading => readings[index].At - reading.At >= MinimumSpan);
        return found >= 0 ? found : null;
    }

    double Between(int from, int to) =>
        (readings[to].Count - readings[from].Count) / (readings[to].At - readings[from].At).TotalSeconds;
}
