namespace Muse.Autoscaler;

/// <summary>
/// Takes and renews the leader's lease in Redis, so that of several autoscalers one decides and acts. The others stand by.
/// </summary>
/// <remarks>
/// Two checks keep a leader that was paused for longer than its lease from acting. <see cref="Current"/> compares the lease's end with the
/// monotonic clock. Redis stores a decision only under the lease that it knows (<see cref="IFleet.StoreDecisionAsync"/>).
/// </remarks>
public sealed class Leadership(IFleet fleet, TimeProvider time, ILogger<Leadership> logger) : BackgroundService
{
    /// <summary>Without a renewal, the lease ends after this time.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(15);
    static readonly TimeSpan RenewalInterval = Lifetime / 3;

    /// <summary>How often an autoscaler that stands by tries to take the lease.</summary>
    public static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    readonly string name = $"{Environment.MachineName}-{Guid.NewGuid().ToString("N")[..8]}";
    Term? term;
    long? announced;
    bool unavailable;

    /// <summary>The lease, or null while another autoscaler leads or the lease could not be renewed in time.</summary>
    public LeaderLease? Current => Volatile.Read(ref term) is { } held && time.GetElapsedTime(held.Since) < Lifetime ? held.Lease : null;

    /// <summary>Whether the lease of this epoch is still held. To be asked directly before acting.</summary>
    public bool Holds(long epoch) => Current?.Epoch == epoch;

    /// <summary>Cancelled when the present term is known to be over: another one leads, or this one with a new epoch.</summary>
    public CancellationToken TermEnded => Volatile.Read(ref term)?.Ended.Token ?? new(canceled: true);

    /// <summary>Takes or renews the lease once. While Redis is unavailable, the lease runs out.</summary>
    public async Task RenewAsync(CancellationToken cancellation)
    {
        // Before the call, so that the lease ends here no later than in Redis.
        var since = time.GetTimestamp();
        try
        {
            var lease = await fleet.LeadAsync(name, Lifetime, cancellation);
            var before = Volatile.Read(ref term);
            var ended = before is not null && before.Lease == lease ? before.Ended : new();
            Volatile.Write(ref term, lease is null ? null : new(lease, since, ended));
            if (before is not null && before.Ended != ended)
                await before.Ended.CancelAsync();
            unavailable = false;
            Announce(lease?.Epoch ?? 0);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            // Logged once, not at every try.
            if (!unavailable)
                Log.LeaseNotRenewed(logger, e.Message);
            unavailable = true;
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await RenewAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.Delay(Current is null ? RetryInterval : RenewalInterval, time, stoppingToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Gives up the lease, so that another autoscaler takes over at once.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (Interlocked.Exchange(ref term, null) is not { } held)
            return;
        await held.Ended.CancelAsync();
        try
        {
            await fleet.StopLeadingAsync(name, cancellationToken);
        }
        catch (Exception e)
        {
            Log.LeaseNotGivenUp(logger, e.Message);
        }
    }

    void Announce(long epoch)
    {
        if (epoch == announced)
            return;
        if (epoch > 0)
            Log.Leads(logger, name, epoch);
        else
            Log.StandsBy(logger, name);
        announced = epoch;
    }

    /// <param name="Lease">The lease.</param>
    /// <param name="Since">The timestamp from which its lifetime counts.</param>
    /// <param name="Ended">Cancelled when the lease is lost.</param>
    sealed record Term(LeaderLease Lease, long Since, CancellationTokenSource Ended);
}
