using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>
/// While this autoscaler leads: measures, decides, stores the decision and acts. Runs at every interval, and at once when an image arrives
/// while no worker is wanted.
/// </summary>
/// <remarks>No failure ends the loop. While Redis is unavailable, the last decision stays in force.</remarks>
public sealed class AutoscalerLoop(
    IFleet fleet, Leadership leadership, FleetGauge gauge, IScalingPolicy policy, IScalingActor actor,
    IOptions<AutoscalerOptions> options, MonotonicClock clock, TimeProvider time, ILogger<AutoscalerLoop> logger) : BackgroundService
{
    readonly AutoscalerOptions options = options.Value;
    readonly List<Recommendation> recommended = [];
    int? desired;
    long epoch;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Log.Started(logger, policy.Name, options.MinWorkers, options.MaxWorkers, options.Interval, options.Actor);
        while (!stoppingToken.IsCancellationRequested)
        {
            if (leadership.Current is null)
            {
                await Task.Delay(Leadership.RetryInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }
            // Another term begins with a measurement.
            using var term = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, leadership.TermEnded);
            await TickAsync(stoppingToken);
            await WaitAsync(term.Token);
        }
    }

    /// <summary>Measures, decides and acts once, if this autoscaler leads.</summary>
    /// <returns>The decision, or null if it does not lead, or measuring or storing failed.</returns>
    public async Task<ScalingDecision?> TickAsync(CancellationToken cancellation)
    {
        if (leadership.Current is not { } lease)
            return null;
        try
        {
            if (epoch != lease.Epoch)
            {
                // Another one may have led since.
                (epoch, desired) = (lease.Epoch, null);
                recommended.Clear();
            }
            var current = desired ??= await RestoreAsync(cancellation);
            var snapshot = await gauge.MeasureAsync(current, cancellation) with { Recommended = [.. recommended] };
            var advice = policy.Decide(snapshot, clock.Now);
            var decision = new ScalingDecision(advice.Workers, advice.Reason, time.GetUtcNow(), policy.Name, snapshot.Queue)
            {
                Epoch = lease.Epoch,
                Leader = lease.Holder,
            };
            if (decision.Workers < snapshot.Workers.Count)
                await actor.PrepareScaleDownAsync(snapshot.Workers, cancellation);
            if (!await fleet.StoreDecisionAsync(decision, lease, cancellation))
            {
                Log.DecisionDropped(logger, lease.Epoch, decision.Workers);
                return null;
            }
            Remember(advice);
            desired = decision.Workers;
            Log.Decided(logger, decision.Workers, decision.Reason);
            await ActAsync(decision, cancellation);
            return decision;
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            Log.MeasurementFailed(logger, desired, e.Message, e);
            return null;
        }
    }

    /// <summary>The number to start from: the last stored decision, or the minimum.</summary>
    async Task<int> RestoreAsync(CancellationToken cancellation)
    {
        var earlier = await fleet.LatestDecisionAsync(cancellation);
        var workers = Math.Clamp(earlier?.Workers ?? options.MinWorkers, options.MinWorkers, options.MaxWorkers);
        // Counts as needed until now, so that a restart does not scale down.
        recommended.Add(new(clock.Now, workers));
        return workers;
    }

    void Remember(ScalingAdvice advice)
    {
        recommended.Add(new(clock.Now, advice.Recommended));
        var since = clock.Now - options.StabilisationWindow;
        // Keep the last entry before the window: it was still valid when the window began.
        if (recommended.FindLastIndex(past => past.At <= since) is var before and > 0)
            recommended.RemoveRange(0, before);
    }

    async Task ActAsync(ScalingDecision decision, CancellationToken cancellation)
    {
        try
        {
            if (leadership.Holds(decision.Epoch))
                await actor.ActAsync(decision, cancellation);
            else
                Log.DecisionDropped(logger, decision.Epoch, decision.Workers);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            Log.ActFailed(logger, decision.Workers, e.Message, e);
        }
    }

    async Task WaitAsync(CancellationToken cancellation)
    {
        var until = clock.Now + options.Interval;
        try
        {
            // With no worker wanted, it waits for work. Stored decisions end the wait too, so the queue is measured.
            while (desired == 0 && until - clock.Now is var remaining && remaining > TimeSpan.Zero)
            {
                await fleet.WaitForChangeAsync(remaining, cancellation);
                if ((await fleet.MeasureAsync(cancellation)).Waiting > 0)
                    return;
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            Log.MeasurementFailed(logger, desired, e.Message, e);
        }

        if (until - clock.Now is var remainder && remainder > TimeSpan.Zero)
            await Task.Delay(remainder, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
