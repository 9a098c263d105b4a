using Muse.Queue;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>The lease of the autoscalers' leader, in a real Redis.</summary>
public sealed class LeaderLeaseTests : IAsyncLifetime
{
    static readonly TimeSpan Long = TimeSpan.FromHours(1);
    QueueFixture fixture = null!;
    QueueFixture.Program one = null!, other = null!;

    public async Task InitializeAsync()
    {
        if (!RedisServer.IsAvailable)
            return;
        fixture = await QueueFixture.StartAsync();
        (one, other) = (fixture.Start(), fixture.Start());
    }

    public async Task DisposeAsync()
    {
        if (fixture is not null)
            await fixture.DisposeAsync();
    }

    static ScalingDecision Decision(int workers) => new(
        workers, "because", new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), "test", new(0, 0, null, 0, 0, DateTimeOffset.UnixEpoch));

    [RedisFact]
    public async Task One_holder_at_a_time_has_it_and_a_renewal_keeps_the_epoch()
    {
        var lease = await one.Fleet.LeadAsync("one", Long, Limit());
        Assert.Equal(new LeaderLease("one", 1), lease);
        Assert.Null(await other.Fleet.LeadAsync("other", Long, Limit()));
        Assert.Equal(lease, await one.Fleet.LeadAsync("one", Long, Limit()));
    }

    [RedisFact]
    public async Task A_holders_name_that_contains_another_one_does_not_get_its_lease()
    {
        await one.Fleet.LeadAsync("pod 1", Long, Limit());
        foreach (var name in (string[])["pod", "1", "1 pod 1", "pod 11", ""])
            Assert.Null(await other.Fleet.LeadAsync(name, Long, Limit()));
    }

    [RedisFact]
    public async Task A_lease_that_was_given_up_is_free_at_once_and_the_next_epoch_is_higher()
    {
        await one.Fleet.LeadAsync("one", Long, Limit());
        await other.Fleet.StopLeadingAsync("other", Limit()); // Not its own.
        Assert.Null(await other.Fleet.LeadAsync("other", Long, Limit()));
        await one.Fleet.StopLeadingAsync("one", Limit());
        Assert.Equal(new LeaderLease("other", 2), await other.Fleet.LeadAsync("other", Long, Limit()));
    }

    [RedisFact]
    public async Task A_lease_that_is_not_renewed_ends_by_itself_and_its_former_holder_gets_a_new_epoch()
    {
        Assert.Equal(1, (await one.Fleet.LeadAsync("one", TimeSpan.FromMilliseconds(1), Limit()))!.Epoch);
        var next = await EventuallyAsync(() => other.Fleet.LeadAsync("other", TimeSpan.FromMilliseconds(1), Limit()),
            lease => lease is not null);
        Assert.Equal(2, next!.Epoch);
        var again = await EventuallyAsync(() => one.Fleet.LeadAsync("one", Long, Limit()), lease => lease is not null);
        Assert.Equal(3, again!.Epoch);
    }

    [RedisFact]
    public async Task Decisions_of_a_lease_that_has_ended_are_not_stored_and_not_signalled()
    {
        var old = (await one.Fleet.LeadAsync("one", Long, Limit()))!;
        Assert.True(await one.Fleet.StoreDecisionAsync(Decision(1), old, Limit()));
        await one.Fleet.StopLeadingAsync("one", Limit());
        Assert.False(await one.Fleet.StoreDecisionAsync(Decision(2), old, Limit())); // Nobody leads.
        var current = (await other.Fleet.LeadAsync("other", Long, Limit()))!;
        Assert.False(await one.Fleet.StoreDecisionAsync(Decision(3), old, Limit())); // Another one leads.
        Assert.False(await one.Fleet.StoreDecisionAsync(Decision(3), old with { Epoch = current.Epoch }, Limit())); // By its epoch alone.
        Assert.True(await other.Fleet.StoreDecisionAsync(Decision(4), current, Limit()));
        Assert.Equal([(4, 2, "other"), (1, 1, "one")],
            (await one.Fleet.DecisionsAsync(10, Limit())).Select(decision => (decision.Workers, (int)decision.Epoch, decision.Leader!)));
    }

    [RedisFact]
    public async Task Of_many_that_ask_at_once_one_leads()
    {
        var asked = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => one.Fleet.LeadAsync($"autoscaler {i}", Long, Limit())));
        Assert.Equal(1, Assert.Single(asked, lease => lease is not null)!.Epoch);
        Assert.Empty(await Audit.KeysWithoutExpiryAsync(one.Redis));
    }
}
