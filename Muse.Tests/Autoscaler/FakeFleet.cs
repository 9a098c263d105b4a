using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

/// <summary>A fleet whose state the test sets.</summary>
sealed class FakeFleet(TimeProvider time) : IFleet
{
    public long Waiting { get; set; }
    public long Pending { get; set; }
    public long Arrivals { get; set; }
    public List<WorkerHeartbeat> Workers { get; } = [];
    public List<ScalingDecision> Decisions { get; } = [];
    /// <summary>Thrown by every call while set.</summary>
    public Exception? Failure { get; set; }
    /// <summary>How far the clock of Redis is ahead of the autoscaler's.</summary>
    public TimeSpan Ahead { get; set; }
    /// <summary>The time of Redis, while set: its clock stands still.</summary>
    public DateTimeOffset? FixedTime { get; set; }
    public TaskCompletionSource Change { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    public TaskCompletionSource Waited { get; private set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Ready(int count, double? rate = 3.75, int busy = 12, WorkerState state = WorkerState.Ready, double age = 300)
    {
        for (var i = 0; i < count; i++)
            Workers.Add(Heartbeat($"w{Workers.Count}", time.GetUtcNow(), state, rate, busy, age));
    }

    public static WorkerHeartbeat Heartbeat(string name, DateTimeOffset at, WorkerState state, double? rate, int busy, double age) => new()
    {
        Worker = name,
        State = state,
        Device = "simulated",
        StartedAt = at - TimeSpan.FromSeconds(age),
        At = at,
        Slots = 12,
        Batch = [.. Enumerable.Range(0, busy).Select(place => new BatchSlot(place, "job", 0, 1, 20))],
        ImagesPerSecond = rate,
    };

    public Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation) =>
        Result(new QueueMeasurement(Waiting, Pending, null, Arrivals, 0, FixedTime ?? time.GetUtcNow() + Ahead));

    public Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) =>
        Result<IReadOnlyList<WorkerHeartbeat>>([.. Workers]);

    /// <summary>The epoch of the lease that it gives to whoever asks, or 0: another one leads.</summary>
    public long Epoch { get; set; } = 1;
    /// <summary>Called after a decision was stored.</summary>
    public Action Stored { get; set; } = static () => { };
    public int LeaseCalls { get; private set; }
    public int GivenUp { get; private set; }

    public Task<bool> StoreDecisionAsync(ScalingDecision decision, LeaderLease lease, CancellationToken cancellation)
    {
        if (Failure is not null)
            return Task.FromException<bool>(Failure);
        if (lease.Epoch != Epoch)
            return Task.FromResult(false);
        lock (Decisions)
            Decisions.Add(decision);
        Stored();
        return Task.FromResult(true);
    }

    public Task<LeaderLease?> LeadAsync(string holder, TimeSpan lifetime, CancellationToken cancellation)
    {
        LeaseCalls++;
        return Result(Epoch > 0 ? new LeaderLease(holder, Epoch) : null);
    }

    public Task StopLeadingAsync(string holder, CancellationToken cancellation)
    {
        GivenUp++;
        return Result(true);
    }

    public Task<long> CountDeadLettersAsync(CancellationToken cancellation) => Result(0L);

    public Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation)
    {
        lock (Decisions)
            return Result(Decisions.LastOrDefault());
    }

    public async Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation)
    {
        if (Failure is not null)
            throw Failure;
        Waited.TrySetResult();
        await Change.Task.WaitAsync(cancellation);
        Change = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    Task<T> Result<T>(T value) => Failure is null ? Task.FromResult(value) : Task.FromException<T>(Failure);
}
