using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>The worker's life: open the model, warm up, work, drain, leave.</summary>
sealed class Worker(Atelier atelier, WorkQueue queue, Fleet fleet, WorkLoop work, EventPump pump, LeaseKeeper leases, HeartbeatLoop heartbeat, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<Worker> logger) : IHostedService
{
    /// <summary>What is not handed back by then is left to its lease: whoever stops us kills after 6 s.</summary>
    static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(3.5);

    readonly CancellationTokenSource stopping = new(), giveUp = new();
    Task running = Task.CompletedTask, draining = Task.CompletedTask;
    readonly Lock gate = new();
    bool drains;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        running = RunAsync();
        return Task.CompletedTask;
    }

    async Task RunAsync()
    {
        var beating = UntilStoppedAsync(() => heartbeat.RunAsync(() => Drain(), stopping.Token));
        try
        {
            await atelier.Engine.StartAsync(stopping.Token);
        }
        catch (OperationCanceledException)
        {
            return; // Stopped while it warmed up: it has nothing to hand back.
        }
        catch (Exception problem)
        {
            End(problem);
            return;
        }
        atelier.Become(WorkerState.Ready);
        WorkerLog.Ready(logger, queue.Worker, atelier.Model.Name, atelier.Model.Device, atelier.Slots);
        await Task.WhenAll(
            beating,
            UntilStoppedAsync(() => work.RunAsync(stopping.Token)),
            UntilStoppedAsync(() => leases.RunAsync(stopping.Token)),
            UntilStoppedAsync(() => pump.RunAsync(giveUp.Token)));
    }

    async Task UntilStoppedAsync(Func<Task> run)
    {
        try
        {
            await run();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested) { } // As it should be.
        catch (Exception problem)
        {
            End(problem);
        }
    }

    /// <summary>Ends the process: it will never paint again, and whoever started it must hear of it, not wait.</summary>
    void End(Exception problem)
    {
        WorkerLog.CannotPaint(logger, queue.Worker, problem.Message, problem is DeviceMemoryException or ModelFolderException ? null : problem);
        Environment.ExitCode = 1;
        lifetime.StopApplication();
    }

    /// <summary>Takes no more work and hands back what it has; the process waits to be stopped.</summary>
    Task Drain()
    {
        lock (gate)
        {
            if (drains)
                return draining;
            drains = true;
            atelier.Become(WorkerState.Draining);
            WorkerLog.Draining(logger, atelier.Paintings.Count);
            return draining = atelier.Engine.DrainAsync();
        }
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        giveUp.CancelAfter(DrainLimit);
        var limit = Task.Delay(DrainLimit, time, CancellationToken.None);
        await Task.WhenAny(Drain(), limit);
        await stopping.CancelAsync();
        await Task.WhenAny(running, limit);
        try
        {
            await fleet.LeaveAsync(queue.Worker, giveUp.Token);
        }
        catch (Exception problem)
        {
            WorkerLog.LeftSilently(logger, problem.Message);
        }
        WorkerLog.Left(logger, atelier.Paintings.Count);
    }
}
