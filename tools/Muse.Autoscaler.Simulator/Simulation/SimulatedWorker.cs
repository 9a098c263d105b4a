namespace Muse.Autoscaler.Simulator;

/// <summary>One simulated request.</summary>
sealed class SimulatedRequest(double arrived, int steps, int user)
{
    public double Arrived { get; } = arrived;
    public int User { get; } = user;
    public int StepsLeft { get; set; } = steps;
}

/// <summary>One simulated worker: its state, its batch and its measured rate.</summary>
sealed class SimulatedWorker(int number, double startedAt)
{
    readonly RateMeter meter = new();

    public int Number => number;
    public double StartedAt => startedAt;
    public bool Ready { get; set; }
    public bool Stopped { get; set; }
    public bool Stepping { get; set; }
    public List<SimulatedRequest> Batch { get; } = [];

    /// <summary>Adds a step to the measured rate, with the same meter that real workers use.</summary>
    public void ObserveStep(double seconds, double images, bool batchFull) =>
        meter.Observe(images, TimeSpan.FromSeconds(seconds), worked: true, batchFull);

    public WorkerHeartbeat Heartbeat(DateTimeOffset now, double second, int slots) => new()
    {
        Worker = $"worker-{number}",
        State = Ready ? WorkerState.Ready : WorkerState.Starting,
        Device = "simulated",
        StartedAt = now - TimeSpan.FromSeconds(second - startedAt),
        At = now,
        Slots = slots,
        Batch = [.. Batch.Select((request, place) => new BatchSlot(place, "", 0, request.StepsLeft, request.StepsLeft))],
        ImagesPerSecond = meter.ImagesPerSecond,
    };
}
