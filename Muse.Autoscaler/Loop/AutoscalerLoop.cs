using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>
/// Measures, decides, stores the decision and acts. Runs at every interval, and at once when an image arrives while no worker is wanted.
/// </summary>
/// <remarks>No failure ends the loop. While Redis is unavailable, the last decision stays in force.</remarks>
public sealed class AutoscalerLoop(
    IFleet fleet, FleetGauge gauge, IScalingPolicy policy, IScalingActor actor, LatestDecision latest,
    IOptions<AutoscalerOptions> options, MonotonicClock clock, TimeProvider time, ILogger<AutoscalerLoop> logger) : BackgroundService
{
    readonly AutoscalerOptions options = options.Value;
    readonly List<Recommendation> recommended = [];
    int? desired;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Log.Started(logger, policy.Name, options.MinWorkers, options.MaxWorkers, options.Interval, options.Actor);
        while (!stoppingToken.IsCancellationRequested)
        {
            await TickAsync(stoppingToken);
            await WaitAsync(stoppingToken);
        }
    }

    /// <summary>Measures, decides and acts once.</summary>
    /// <returns>The decision, or null if measuring or storing failed.</returns>
    public async Task<ScalingDecision?> TickAsync(CancellationToken cancellation)
    {
        try
        {
            var current = desired ??= await RestoreAsync(cancellation);
            var snapshot = await gauge.MeasureAsync(current, cancellation) with { Recommended = [.. recommended] };
            var advice = policy.Decide(snapshot, clock.Now);
            var decision = new ScalingDecision(advice.Workers, advice.Reason, time.GetUtcNow(), policy.Name, snapshot.Queue);
            await fleet.StoreDecisionAsync(decision, cancellation);
            Remember(advice);
            desired = decision.Workers;
            latest.Set(decision);
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
            await actor.ActAsync(decision, cancellation);
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
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            Log.MeasurementFailed(logger, desired, e.Message, e);
        }

        if (until - clock.Now is var remainder && remainder > TimeSpan.Zero)
            await Task.Delay(remainder, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
