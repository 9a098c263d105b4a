using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>Measures, decides, writes the decision down and acts: at every interval, and at once when a picture comes to an empty fleet.</summary>
/// <remarks>Nothing that fails ends it. While Redis is away, the last number stands.</remarks>
public sealed class AutoscalerLoop(
    IFleet fleet, FleetGauge gauge, IScalingPolicy policy, IScalingActor actor, LatestDecision latest,
    IOptions<AutoscalerOptions> options, SteadyClock clock, TimeProvider time, ILogger<AutoscalerLoop> logger) : BackgroundService
{
    readonly AutoscalerOptions options = options.Value;
    readonly List<Recommendation> recommended = [];
    int? desired;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Log.Started(logger, policy.Title, options.MinWorkers, options.MaxWorkers, options.Interval, options.Actor);
        while (!stoppingToken.IsCancellationRequested)
        {
            await TickAsync(stoppingToken);
            await WaitAsync(stoppingToken);
        }
    }

    /// <summary>One look.</summary>
    /// <returns>The decision, or null where it failed.</returns>
    public async Task<ScalingDecision?> TickAsync(CancellationToken cancellation)
    {
        try
        {
            var current = desired ??= await RecallAsync(cancellation);
            var snapshot = await gauge.LookAsync(current, cancellation) with { Recommended = [.. recommended] };
            var advice = policy.Decide(snapshot, clock.Now);
            var decision = new ScalingDecision(advice.Workers, advice.Reason, time.GetUtcNow(), policy.Title, snapshot.Queue);
            await fleet.DecideAsync(decision, cancellation);
            Remember(advice);
            desired = decision.Workers;
            latest.Set(decision);
            Log.Decided(logger, decision.Workers, decision.Reason);
            await ActAsync(decision, cancellation);
            return decision;
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            Log.LookFailed(logger, desired, e.Message, e);
            return null;
        }
    }

    /// <summary>The number to go on from: what an earlier run decided, and before any the least.</summary>
    async Task<int> RecallAsync(CancellationToken cancellation)
    {
        var earlier = await fleet.DecisionAsync(cancellation);
        var workers = Math.Clamp(earlier?.Workers ?? options.MinWorkers, options.MinWorkers, options.MaxWorkers);
        // As if it had been needed until now: a restart is no reason to scale down.
        recommended.Add(new(clock.Now, workers));
        return workers;
    }

    void Remember(ScalingAdvice advice)
    {
        recommended.Add(new(clock.Now, advice.Recommended));
        var since = clock.Now - options.StabilisationWindow;
        // The last one before the window stays: it tells what was needed at the window's beginning.
        if (recommended.FindLastIndex(past => past.At <= since) is var before and > 0)
            recommended.RemoveRange(0, before);
    }

    async Task ActAsync(ScalingDecision decision, CancellationToken cancellation)
    {
        try
        { await actor.ActAsync(decision, cancellation); }
        catch (Exception e) when (!cancellation.IsCancellationRequested) { Log.ActFailed(logger, decision.Workers, e.Message, e); }
    }

    async Task WaitAsync(CancellationToken cancellation)
    {
        var until = clock.Now + options.Interval;
        try
        {
            // An empty fleet waits for work. Decisions wake it as well as pictures do, so it looks which it was.
            while (desired == 0 && until - clock.Now is var left && left > TimeSpan.Zero)
            {
                await fleet.WaitForChangeAsync(left, cancellation);
                if ((await fleet.MeasureAsync(cancellation)).Waiting > 0)
                    return;
            }
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested) { Log.LookFailed(logger, desired, e.Message, e); }
        if (until - clock.Now is var rest && rest > TimeSpan.Zero)
            await Task.Delay(rest, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
