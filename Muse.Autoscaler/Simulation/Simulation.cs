using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>What to simulate.</summary>
public sealed record SimulationSettings
{
    /// <summary>Who asks.</summary>
    public required LoadTrace Trace { get; init; }
    /// <summary>The autoscaler's settings, as in earnest.</summary>
    public required AutoscalerOptions Autoscaler { get; init; }
    /// <summary>What painting costs.</summary>
    public SimulatedDevice Device { get; init; } = new();
    /// <summary>How long a worker really takes to become ready; what the autoscaler believes is <see cref="AutoscalerOptions.ColdStart"/>.</summary>
    public TimeSpan ColdStart { get; init; } = TimeSpan.FromSeconds(60);
    /// <summary>Mean time until a worker crashes; null for never.</summary>
    public TimeSpan? MeanTimeToCrash { get; init; }
    /// <summary>Share of started workers that never become ready.</summary>
    public double NeverReady { get; init; }
    /// <summary>Seed of everything random.</summary>
    public int Seed { get; init; } = 1;
    /// <summary>The number of workers by the second instead of a policy's; for the optimum.</summary>
    public Func<double, int>? Schedule { get; init; }
}

/// <summary>A discrete-event simulation of the whole system, with the autoscaler's own loop, gauge and policy in the middle of it and everything around them simulated.</summary>
public sealed class Simulation : IFleet, IScalingActor
{
    // As in earnest: a dead worker's pictures can be taken over after the lease.
    const double Lease = 10;

    readonly SimulationSettings settings;
    readonly SimulatedClock clock = new();
    readonly PriorityQueue<Action, (double At, long Order)> events = new();
    readonly LinkedList<SimulatedRequest> queue = [];
    readonly List<SimulatedWorker> workers = [];
    readonly Random random;
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
        var steady = new SteadyClock(clock);
        loop = new(this, new(this, options, steady, NullLogger<FleetGauge>.Instance), AutoscalerHosting.Policy(settings.Autoscaler), this,
            new(steady), options, steady, clock, NullLogger<AutoscalerLoop>.Instance);
    }

    /// <summary>Runs it to the end of the trace.</summary>
    public static SimulationRecord Run(SimulationSettings settings) => new Simulation(settings).Run();

    double Now => clock.Seconds;
    int Slots => settings.Device.Slots;

    SimulationRecord Run()
    {
        // The least workers run already when the trace begins.
        wanted = settings.Schedule?.Invoke(0) ?? settings.Autoscaler.MinWorkers;
        for (var i = 0; i < wanted; i++)
            StartWorker(ready: true);
        At(0, Second);
        if (settings.Schedule is null)
            At(0, Tick);
        if (!settings.Trace.Closed)
            At(0, () => NextArrival(0));
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

    void At(double second, Action what) => events.Enqueue(what, (second, order++));

    void Tick()
    {
        Look();
        At(Now + settings.Autoscaler.Interval.TotalSeconds, Tick);
    }

    void Look()
    {
        // Nothing here waits for anything, so the look has ended when the call returns.
        var look = loop.TickAsync(CancellationToken.None);
        if (!look.IsCompleted || look.Result is null)
            throw new InvalidOperationException("A look of the simulation failed.");
    }

    /// <summary>Once a second: users come and go, and what there is goes on record.</summary>
    void Second()
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
        record.Sample(Now, level, queue.Count + workers.Sum(worker => worker.Batch.Count) + leased, wanted, workers.Count(worker => worker.Ready));
        At(Now + 1, Second);
    }

    /// <summary>A Poisson process whose rate changes, by thinning one of the highest rate.</summary>
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

        At(Now - Math.Log(1 - random.NextDouble()) / highest, () => NextArrival(highest));
    }

    void Arrive(int user)
    {
        arrivals++;
        queue.AddLast(new SimulatedRequest(Now, settings.Device.Steps, user));
        if (wanted == 0 && settings.Schedule is null)
            At(Now, Look);
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
        At(Now + seconds, () => EndStep(worker, seconds));
    }

    void EndStep(SimulatedWorker worker, double seconds)
    {
        if (worker.Gone)
            return;
        worker.Note(seconds, (double)worker.Batch.Count / settings.Device.Steps, worker.Batch.Count == Slots);
        foreach (var request in worker.Batch)
            request.StepsLeft--;
        var finished = worker.Batch.Where(request => request.StepsLeft == 0).ToList();
        worker.Batch.RemoveAll(request => request.StepsLeft == 0);
        foreach (var request in finished)
        {
            completed++;
            record.Finished(request.Arrived, Now);
            // A user asks again at once, unless the user has left meanwhile.
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
        // The one with the least work goes first, and of those the newest.
        while (workers.Count > wanted)
            StopWorker(workers.OrderBy(worker => worker.Batch.Count).ThenByDescending(worker => worker.Number).First());
    }

    void StartWorker(bool ready)
    {
        var worker = new SimulatedWorker(started++, Now) { Ready = ready };
        workers.Add(worker);
        if (!ready && random.NextDouble() >= settings.NeverReady)
        {
            At(Now + settings.ColdStart.TotalSeconds, () =>
            {
                if (worker.Gone)
                    return;
                worker.Ready = true;
                Step(worker);
            });
        }

        if (settings.MeanTimeToCrash is { } mean)
            At(Now - Math.Log(1 - random.NextDouble()) * mean.TotalSeconds, () => Crash(worker));
    }

    /// <summary>Hands its work back with its progress, and goes.</summary>
    void StopWorker(SimulatedWorker worker)
    {
        Remove(worker);
        HandBack(worker);
    }

    void Crash(SimulatedWorker worker)
    {
        if (worker.Gone)
            return;
        Remove(worker);
        leased += worker.Batch.Count;
        At(Now + Lease, () =>
        {
            leased -= worker.Batch.Count;
            HandBack(worker);
        });
        StartWorker(ready: false);
    }

    void Remove(SimulatedWorker worker)
    {
        worker.Gone = true;
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
        Task.FromResult<IReadOnlyList<WorkerHeartbeat>>([.. workers.Select(worker => worker.Beat(clock.GetUtcNow(), Now, Slots))]);

    Task IFleet.DecideAsync(ScalingDecision decided, CancellationToken cancellation)
    {
        decision = decided;
        record.Decisions.Add(decided);
        return Task.CompletedTask;
    }

    Task<ScalingDecision?> IFleet.DecisionAsync(CancellationToken cancellation) => Task.FromResult(decision);

    Task IFleet.WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation) => Task.CompletedTask;

    Task IScalingActor.ActAsync(ScalingDecision decided, CancellationToken cancellation)
    {
        Scale(decided.Workers);
        return Task.CompletedTask;
    }
}
