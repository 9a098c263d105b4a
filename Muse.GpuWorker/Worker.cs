using Microsoft.Extensions.Options;
using Muse.Diffusion;
using Muse.Queue;

namespace Muse.GpuWorker;

/// <summary>Runs the worker's loops: warm up, work, drain, leave.</summary>
sealed class Worker(WorkerContext context, WorkQueue queue, Fleet fleet, WorkLoop work, EventPump pump, LeaseKeeper leases,
    HeartbeatLoop heartbeat, IHostApplicationLifetime lifetime, IOptions<WorkerOptions> options, TimeProvider time,
    ILogger<Worker> logger) : IHostedService
{
    readonly CancellationTokenSource stopping = new(), giveUp = new();
    Task running = Task.CompletedTask, draining = Task.CompletedTask;
    readonly Lock gate = new();
    bool isDraining;

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
            await context.Engine.StartAsync(stopping.Token);
        }
        catch (OperationCanceledException)
        {
            return; // Stopped during the warm-up: there is nothing to hand back.
        }
        catch (Exception exception)
        {
            End(exception);
            return;
        }
        // What loading the model and warming up left behind. A worker that then waits may not collect it for hours.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        context.TransitionTo(WorkerState.Ready);
        WorkerLog.Ready(logger, queue.Worker, context.Model.Name, context.Model.Device, context.Slots);
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
        catch (OperationCanceledException) when (stopping.IsCancellationRequested) { } // The end of a loop.
        catch (Exception exception)
        {
            End(exception);
        }
    }

    /// <summary>Ends the process with exit code 1, so that it is replaced: it can't generate any more.</summary>
    void End(Exception exception)
    {
        // The message of these exceptions says enough without a stack trace.
        var logged = exception is DeviceMemoryException or ModelFolderException ? null : exception;
        WorkerLog.CannotGenerate(logger, queue.Worker, exception.Message, logged);
        Environment.ExitCode = 1;
        lifetime.StopApplication();
    }

    /// <summary>Takes no more work and hands back the images in flight; the process waits to be stopped.</summary>
    Task Drain()
    {
        lock (gate)
        {
            if (isDraining)
                return draining;
            isDraining = true;
            context.TransitionTo(WorkerState.Draining);
            WorkerLog.Draining(logger, context.InFlight.Count);
            return draining = context.Engine.DrainAsync();
        }
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        giveUp.CancelAfter(options.Value.DrainLimit);
        var limit = Task.Delay(options.Value.DrainLimit, time, CancellationToken.None);
        await Task.WhenAny(Drain(), limit);
        await stopping.CancelAsync();
        await Task.WhenAny(running, limit);
        try
        {
            await fleet.LeaveAsync(queue.Worker, giveUp.Token);
        }
        catch (Exception exception)
        {
            WorkerLog.NotRemoved(logger, exception.Message);
        }
        WorkerLog.Removed(logger, context.InFlight.Count);
    }
}
