namespace Muse.Autoscaler;

/// <summary>One request of the simulation.</summary>
sealed class SimulatedRequest(double arrived, int steps, int user)
{
    public double Arrived { get; } = arrived;
    public int User { get; } = user;
    public int StepsLeft { get; set; } = steps;
}

/// <summary>A worker of the simulation: starts, paints its batch step by step, and tells what it measured.</summary>
sealed class SimulatedWorker(int number, double startedAt)
{
    readonly RateMeter meter = new();

    public int Number => number;
    public double StartedAt => startedAt;
    public bool Ready { get; set; }
    public bool Gone { get; set; }
    public bool Stepping { get; set; }
    public List<SimulatedRequest> Batch { get; } = [];

    /// <summary>Notes a step for the measured rate, as a worker in earnest would.</summary>
    public void Note(double seconds, double pictures, bool batchFull) => meter.Observe(pictures, TimeSpan.FromSeconds(seconds), worked: true, batchFull);

    public WorkerHeartbeat Beat(DateTimeOffset now, double second, int slots) => new()
    {
        Worker = $"worker-{number}",
        State = Ready ? WorkerState.Ready : WorkerState.Starting,
        Device = "simulated",
        StartedAt = now - TimeSpan.FromSeconds(second - startedAt),
        At = now,
        Slots = slots,
        Batch = [.. Batch.Select((request, place) => new BatchPlace(place, "", 0, request.StepsLeft, request.StepsLeft))],
        PicturesPerSecond = meter.PicturesPerSecond,
    };
}
