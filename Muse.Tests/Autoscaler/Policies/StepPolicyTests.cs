using Muse.Autoscaler;

namespace Muse.Tests.Autoscaler;

public class StepPolicyTests
{
    [Theory]
    [InlineData(1, 12, 1)] // exactly full is not more than full
    [InlineData(1, 13, 2)]
    [InlineData(1, 500, 2)] // one at a time, however many there are
    [InlineData(3, 36, 3)] // the limit grows with the workers
    [InlineData(3, 37, 4)]
    [InlineData(4, 500, 4)] // the most allowed
    [InlineData(3, 1, 3)]
    [InlineData(3, 0, 2)]
    [InlineData(1, 0, 1)] // the least allowed
    public void One_more_above_workers_times_twelve_and_one_fewer_below_the_minimum(int workers, int requests, int expected)
    {
        var policy = new StepPolicy(new() { MinWorkers = 1, MaxWorkers = 4 });
        Assert.Equal(expected, policy.Decide(Facts.Of(desired: workers, waiting: requests), Facts.Now).Workers);
    }

    [Fact]
    public void The_minimum_of_requests_is_the_minimum_of_workers()
    {
        var policy = new StepPolicy(new() { MinWorkers = 2, MaxWorkers = 4 });
        Assert.Equal(2, policy.Decide(Facts.Of(desired: 3, waiting: 1), Facts.Now).Workers);
        Assert.Equal(3, policy.Decide(Facts.Of(desired: 3, waiting: 2), Facts.Now).Workers);
    }

    [Fact]
    public void Without_a_minimum_an_idle_fleet_stops_and_the_first_request_starts_one()
    {
        var policy = new StepPolicy(new() { MinWorkers = 0, MaxWorkers = 4 });
        Assert.Equal(0, policy.Decide(Facts.Of(desired: 1, waiting: 0), Facts.Now).Workers);
        Assert.Equal(1, policy.Decide(Facts.Of(desired: 0, waiting: 1), Facts.Now).Workers);
    }

    [Fact]
    public void An_unreliable_measurement_does_not_scale_down()
    {
        var stale = Facts.Of(desired: 3, waiting: 0) with { ScaleDownBlocker = "the measurement is stale" };
        var advice = new StepPolicy(new()).Decide(stale, Facts.Now);
        Assert.Equal(3, advice.Workers);
        Assert.Contains("stale", advice.Reason);
    }

    [Fact]
    public void The_reason_has_the_numbers_in_it()
    {
        var reason = new StepPolicy(new()).Decide(Facts.Of(desired: 2, waiting: 20, pending: 24), Facts.Now).Reason;
        Assert.Equal("44 images are more than 2 × 12 = 24: one more, 3", reason);
    }
}
