using Microsoft.Extensions.Time.Testing;
using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public sealed class LeadershipTests
{
    readonly FakeTimeProvider time = new(Facts.Now);
    readonly FakeFleet fleet;
    readonly LinesLogger lines = new();
    readonly Leadership leadership;

    public LeadershipTests()
    {
        fleet = new(time);
        leadership = new(fleet, time, lines.For<Leadership>());
    }

    [Fact]
    public async Task It_leads_until_the_lease_would_have_ended_without_a_renewal()
    {
        Assert.Null(leadership.Current);
        await leadership.RenewAsync(default);
        Assert.Equal(1, leadership.Current!.Epoch);
        time.Advance(Leadership.Lifetime - TimeSpan.FromMilliseconds(1));
        Assert.True(leadership.Holds(1));
        Assert.False(leadership.Holds(2));
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(leadership.Current);
        Assert.False(leadership.Holds(1));
        await leadership.RenewAsync(default);
        Assert.True(leadership.Holds(1));
    }

    [Fact]
    public async Task A_term_ends_when_another_one_leads_or_the_epoch_has_changed_and_a_renewal_keeps_it()
    {
        Assert.True(leadership.TermEnded.IsCancellationRequested);
        await leadership.RenewAsync(default);
        var first = leadership.TermEnded;
        await leadership.RenewAsync(default);
        Assert.False(first.IsCancellationRequested);
        fleet.Epoch = 3;
        await leadership.RenewAsync(default);
        Assert.True(first.IsCancellationRequested);
        var second = leadership.TermEnded;
        fleet.Epoch = 0;
        await leadership.RenewAsync(default);
        Assert.True(second.IsCancellationRequested);
        Assert.Null(leadership.Current);
    }

    [Fact]
    public async Task While_Redis_is_unavailable_the_lease_runs_out_and_the_log_says_so_once()
    {
        await leadership.RenewAsync(default);
        fleet.Failure = new QueueUnavailableException("Redis is away.");
        time.Advance(Leadership.Lifetime / 3);
        await leadership.RenewAsync(default);
        Assert.NotNull(leadership.Current);
        time.Advance(Leadership.Lifetime * 2 / 3);
        await leadership.RenewAsync(default);
        Assert.Null(leadership.Current);
        Assert.Single(lines.All, line => line.EndsWith("Redis is away."));
    }

    [Fact]
    public async Task It_renews_the_lease_while_it_runs_and_gives_it_up_when_it_stops()
    {
        await leadership.StartAsync(default);
        await EventuallyAsync(() =>
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            return fleet.LeaseCalls > 3;
        });
        await leadership.StopAsync(default);
        Assert.Equal(1, fleet.GivenUp);
        Assert.Null(leadership.Current);
        Assert.Single(lines.All, line => line.StartsWith("This autoscaler, ") && line.EndsWith(" leads: epoch 1."));
    }

    [Fact]
    public async Task One_that_stands_by_gives_nothing_up_and_says_that_it_stands_by()
    {
        fleet.Epoch = 0;
        await leadership.StartAsync(default);
        await EventuallyAsync(() => fleet.LeaseCalls > 0);
        await leadership.StopAsync(default);
        Assert.Equal(0, fleet.GivenUp);
        Assert.Single(lines.All, line => line.StartsWith("Another autoscaler leads."));
    }

    static async Task EventuallyAsync(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!condition())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
