using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Muse.Autoscaler.Simulator;

/// <summary>What to simulate.</summary>
public sealed record SimulationSettings
{
    /// <summary>The load.</summary>
    public required LoadTrace Trace { get; init; }
    /// <summary>The autoscaler's settings.</summary>
    public required AutoscalerOptions Autoscaler { get; init; }
    /// <summary>The device of each worker.</summary>
    public SimulatedDevice Device { get; init; } = new();
    /// <summary>How long a worker takes to become ready. The autoscaler assumes <see cref="AutoscalerOptions.ColdStart"/>.</summary>
    public TimeSpan ColdStart { get; init; } = TimeSpan.FromSeconds(60);
    /// <summary>Mean time until a worker crashes; null for never.</summary>
    public TimeSpan? MeanTimeToCrash { get; init; }
    /// <summary>Share of started workers that never become ready.</summary>
    public double NeverReady { get; init; }
    /// <summary>Seed of the random numbers.</summary>
    public int Seed { get; init; } = 1;
    /// <summary>Workers by the second; null to let the autoscaler decide. Runs the <see cref="OptimalSchedule"/>.</summary>
    public Func<double, int>? Schedule { get; init; }
}

/// <summary>
/// A discrete-event simulation of the whole system. The autoscaler's loop, gauge and policy are the real ones; load, queue and workers are
/// simulated.
/// </summary>
public sealed class Simulation : IFleet, IScalingActor
{
    // Seconds, the default of Queue:Lease: after it, another worker takes over a dead worker's images.
    const double Lease = 10;

    readonly SimulationSettings settings;
    readonly SimulatedClock clock = new();
    readonly PriorityQueue<Action, (double At, long Order)> events = new();
    readonly LinkedList<SimulatedRequest> queue = [];
    readonly List<SimulatedWorker> workers = [];
    readonly Random random;
    readonly Leadership leadership;
    readonly AutoscalerLoop loop;
    readonly SimulationRecord record;
    long order, arrivals, leased, completed;
    int users, wanted, started;
    ScalingDecision? decision;

    Simulation(SimulationSettings settings)
    {
        this.settings = settings;
        random = new(settings.Seed);
        record = new(settings);
        var options = Options.Create(settings.Autoscaler);
        var steady = new MonotonicClock(clock);
        var gauge = new FleetGauge(this, options, steady, NullLogger<FleetGauge>.Instance);
        leadership = new(this, clock, NullLogger<Leadership>.Instance);
        loop = new(this, leadership, gauge, AutoscalerHosting.Policy(settings.Autoscaler), this,
            options, steady, clock, NullLogger<AutoscalerLoop>.Instance);
    }

    /// <summary>Simulates until the end of the trace.</summary>
    public static SimulationRecord Run(SimulationSettings settings) => new Simulation(settings).Run();

    double Now => clock.Seconds;
    int Slots => settings.Device.Slots;

    SimulationRecord Run()
    {
        // The minimum of workers runs already when the trace begins.
        wanted = settings.Schedule?.Invoke(0) ?? settings.Autoscaler.MinWorkers;
        for (var i = 0; i < wanted; i++)
            StartWorker(ready: true);
        ScheduleAt(0, EverySecond);
        if (settings.Schedule is null)
            ScheduleAt(0, EveryInterval);
        if (!settings.Trace.Closed)
            ScheduleAt(0, () => NextArrival(0));
        while (events.TryPeek(out _, out var next) && next.At <= settings.Trace.Length)
        {
            clock.Seconds = next.At;
            events.Dequeue()();
        }
        clock.Seconds = settings.Trace.Length;
        foreach (var worker in workers)
            record.Stopped(worker, Now);
        return record;
    }

    void ScheduleAt(double second, Action action) => events.Enqueue(action, (second, order++));

    void EveryInterval()
    {
        Tick();
        ScheduleAt(Now + settings.Autoscaler.Interval.TotalSeconds, EveryInterval);
    }

    void Tick()
    {
        // The simulated queue answers synchronously, so these calls are complete when they return.
        _ = leadership.RenewAsync(CancellationToken.None);
        var tick = loop.TickAsync(CancellationToken.None);
        if (!tick.IsCompleted || tick.Result is null)
            throw new InvalidOperationException("A tick of the autoscaler's loop failed in the simulation.");
    }

    /// <summary>Once per second: users join and leave, and the state is recorded.</summary>
    void EverySecond()
    {
        var level = settings.Trace.Level(Now);
        if (settings.Trace.Closed)
        {
            for (; users < level; users++)
                Arrive(users);
            users = (int)level;
        }
        if (settings.Schedule is { } schedule)
            Scale(schedule(Now));
        var inSystem = queue.Count + workers.Sum(worker => worker.Batch.Count) + leased;
        record.Sample(Now, level, inSystem, wanted, workers.Count(worker => worker.Ready));
        ScheduleAt(Now + 1, EverySecond);
    }

    /// <summary>A Poisson process with a varying rate, by thinning a process with the highest rate.</summary>
    void NextArrival(double highest)
    {
        if (highest == 0)
        {
            for (double second = 0; second < settings.Trace.Length; second++)
                highest = Math.Max(highest, settings.Trace.Level(second));
        }
        else if (random.NextDouble() * highest < settings.Trace.Level(Now))
        {
            Arrive(user: -1);
        }

        ScheduleAt(Now - Math.Log(1 - random.NextDouble()) / highest, () => NextArrival(highest));
    }

    void Arrive(int user)
    {
        arrivals++;
        queue.AddLast(new SimulatedRequest(Now, settings.Device.Steps, user));
        if (wanted == 0 && settings.Schedule is null)
            ScheduleAt(Now, Tick);
        WakeIdle();
    }

    void WakeIdle()
    {
        foreach (var worker in workers)
        {
            if (queue.Count == 0)
                return;
            if (worker is { Ready: true, Stepping: false })
                Step(worker);
        }
    }

    void Step(SimulatedWorker worker)
    {
        while (worker.Batch.Count < Slots && queue.First is { } first)
        {
            queue.RemoveFirst();
            worker.Batch.Add(first.Value);
        }
        worker.Stepping = worker.Batch.Count > 0;
        if (!worker.Stepping)
            return;
        var seconds = settings.Device.Step(worker.Batch.Count);
        ScheduleAt(Now + seconds, () => EndStep(worker, seconds));
    }

    void EndStep(SimulatedWorker worker, double seconds)
    {
        if (worker.Stopped)
            return;
        worker.ObserveStep(seconds, (double)worker.Batch.Count / settings.Device.Steps, worker.Batch.Count == Slots);
        foreach (var request in worker.Batch)
            request.StepsLeft--;
        var finished = worker.Batch.Where(request => request.StepsLeft == 0).ToList();
        worker.Batch.RemoveAll(request => request.StepsLeft == 0);
        foreach (var request in finished)
        {
            completed++;
            record.Finished(request.Arrived, Now);
            // A user sends the next request at once, unless the user has left.
            if (request.User >= 0 && request.User < users)
                Arrive(request.User);
        }
        Step(worker);
    }

    void Scale(int workersWanted)
    {
        if (workersWanted != wanted)
            record.Scaled(Now, wanted, workersWanted);
        wanted = workersWanted;
        while (workers.Count < wanted)
            StartWorker(ready: false);
        // The worker with the fewest images stops first; of several, the newest.
        while (workers.Count > wanted)
            StopWorker(workers.OrderBy(worker => worker.Batch.Count).ThenByDescending(worker => worker.Number).First());
    }

    void StartWorker(bool ready)
    {
        var worker = new SimulatedWorker(started++, Now) { Ready = ready };
        workers.Add(worker);
        if (!ready && random.NextDouble() >= settings.NeverReady)
        {
            ScheduleAt(Now + settings.ColdStart.TotalSeconds, () =>
            {
                if (worker.Stopped)
                    return;
                worker.Ready = true;
                Step(worker);
            });
        }

        if (settings.MeanTimeToCrash is { } mean)
            ScheduleAt(Now - Math.Log(1 - random.NextDouble()) * mean.TotalSeconds, () => Crash(worker));
    }

    /// <summary>Stops a worker, which hands its images back with their progress.</summary>
    void StopWorker(SimulatedWorker worker)
    {
        Remove(worker);
        HandBack(worker);
    }

    void Crash(SimulatedWorker worker)
    {
        if (worker.Stopped)
            return;
        Remove(worker);
        leased += worker.Batch.Count;
        ScheduleAt(Now + Lease, () =>
        {
            leased -= worker.Batch.Count;
            HandBack(worker);
        });
        StartWorker(ready: false);
    }

    void Remove(SimulatedWorker worker)
    {
        worker.Stopped = true;
        workers.Remove(worker);
        record.Stopped(worker, Now);
    }

    void HandBack(SimulatedWorker worker)
    {
        for (var i = worker.Batch.Count - 1; i >= 0; i--)
            queue.AddFirst(worker.Batch[i]);
        worker.Batch.Clear();
        WakeIdle();
    }

    Task<QueueMeasurement> IFleet.MeasureAsync(CancellationToken cancellation) => Task.FromResult(new QueueMeasurement(
        queue.Count, workers.Sum(worker => worker.Batch.Count) + leased,
        queue.First is { } oldest ? TimeSpan.FromSeconds(Now - oldest.Value.Arrived) : null, arrivals, completed, clock.GetUtcNow()));

    Task<IReadOnlyList<WorkerHeartbeat>> IFleet.WorkersAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<WorkerHeartbeat>>([.. workers.Select(worker => worker.Heartbeat(clock.GetUtcNow(), Now, Slots))]);

    Task<bool> IFleet.StoreDecisionAsync(ScalingDecision decided, LeaderLease lease, CancellationToken cancellation)
    {
        decision = decided;
        record.Decisions.Add(decided);
        return Task.FromResult(true);
    }

    // The only autoscaler.
    Task<LeaderLease?> IFleet.LeadAsync(string holder, TimeSpan lifetime, CancellationToken cancellation) =>
        Task.FromResult<LeaderLease?>(new(holder, 1));

    Task IFleet.StopLeadingAsync(string holder, CancellationToken cancellation) => Task.CompletedTask;

    Task<long> IFleet.CountDeadLettersAsync(CancellationToken cancellation) => Task.FromResult(0L);

    Task<ScalingDecision?> IFleet.LatestDecisionAsync(CancellationToken cancellation) => Task.FromResult(decision);

    Task IFleet.WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation) => Task.CompletedTask;

    Task IScalingActor.ActAsync(ScalingDecision decided, CancellationToken cancellation)
    {
        Scale(decided.Workers);
        return Task.CompletedTask;
    }
}
