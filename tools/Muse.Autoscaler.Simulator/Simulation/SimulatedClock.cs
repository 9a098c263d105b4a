namespace Muse.Autoscaler.Simulator;

/// <summary>A clock that the simulation sets.</summary>
sealed class SimulatedClock : TimeProvider
{
    static readonly DateTimeOffset Begin = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Time since the start, seconds.</summary>
    public double Seconds { get; set; }

    public override DateTimeOffset GetUtcNow() => Begin + TimeSpan.FromSeconds(Seconds);
    public override long GetTimestamp() => (long)(Seconds * TimeSpan.TicksPerSecond);
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
}
