using Muse.Autoscaler;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public class DrainPolicyTests
{
    // A worker does 3.75 images a second. In 10 s less the tolerance of a tenth, it does 33.75.
    static readonly AutoscalerOptions Options = new() { MinWorkers = 0, MaxWorkers = 40, Tolerance = 0.1 };
    static readonly TimeSpan Window = Options.StabilisationWindow;

    static ScalingAdvice Decide(FleetSnapshot snapshot, AutoscalerOptions? options = null) =>
        new DrainPolicy(options ?? Options).Decide(snapshot, Facts.Now);

    [Theory]
    [InlineData(0, 1)] // an empty fleet is woken by one image
    [InlineData(33, 1)]
    [InlineData(34, 2)]
    [InlineData(400, 12)]
    [InlineData(1000, 30)]
    [InlineData(100_000, 40)] // the most allowed
    public void It_scales_up_at_once_to_as_many_as_drain_the_backlog_within_the_target(long waiting, int expected) =>
        Assert.Equal(expected, Decide(Facts.Of(desired: 0, waiting: Math.Max(1, waiting))).Workers);

    [Theory]
    [InlineData(15.0, 4)] // four can just keep up
    [InlineData(16.0, 4)] // within the tolerance of a tenth
    [InlineData(17.0, 5)]
    public void Arrivals_count_once_they_exceed_the_capacity_by_the_tolerance(double arrivals, int expected) =>
        Assert.Equal(expected, Decide(Facts.Of(desired: 4, waiting: 4, arrivals: arrivals) with { SteadyArrivals = null }).Workers);

    [Theory]
    [InlineData(30, 0, 60, 2)] // 7.5 a second against 3.75 for a minute and a half
    [InlineData(30, 1, 60, 2)] // a worker that is due now has done them by then
    public void The_backlog_expected_when_a_new_worker_is_ready_counts(long waiting, int starting, double age, int expectedAtLeast)
    {
        var alone = Decide(Facts.Of(desired: 1, waiting, arrivals: 7.5));
        var joined = Decide(Facts.Of(desired: 2, waiting, arrivals: 7.5, ready: 1, starting: starting, age: age));
        Assert.Equal(11, alone.Workers); // (30 + 90 × 3.75) / 33.75
        Assert.True(joined.Workers >= expectedAtLeast && (starting == 0 || joined.Workers == 2));
    }

    [Fact]
    public void A_worker_that_is_starting_counts_from_when_it_will_be_ready()
    {
        int With(double age) => Decide(Facts.Of(desired: 2, waiting: 30, arrivals: 7.5, ready: 1, starting: 1, age: age)).Workers;
        Assert.Equal(8, With(age: 0)); // 112 images fewer than without it: it works for the last half minute
        Assert.Equal(5, With(age: 30));
        Assert.Equal(2, With(age: 60));
        Assert.Equal(2, With(age: 90)); // overdue is due now
    }

    [Fact]
    public void Arrivals_over_two_intervals_are_extrapolated_and_those_over_one_are_not()
    {
        var jump = Facts.Of(desired: 1, waiting: 30, arrivals: 7.5);
        Assert.Equal(2, Decide(jump with { SteadyArrivals = 1 }).Workers);
        Assert.Equal(11, Decide(jump).Workers);
    }

    [Fact]
    public void It_scales_down_only_after_the_lower_number_has_held_for_the_window()
    {
        var idle = Facts.Of(desired: 4, waiting: 0, pending: 5, arrivals: 2);
        Assert.Equal(4, Decide(idle).Workers);
        Assert.Equal(4, Decide(idle.Steadily(1, Window - TimeSpan.FromSeconds(30))).Workers);
        Assert.Equal(1, Decide(idle.Steadily(1, Window)).Workers);
        // The recommendation is returned even if the number is held.
        Assert.Equal(1, Decide(idle).Recommended);
    }

    [Fact]
    public void One_high_recommendation_within_the_window_holds_the_number_up()
    {
        var idle = Facts.Of(desired: 4, waiting: 0, pending: 5, arrivals: 2).Steadily(1, Window);
        idle = idle with { Recommended = [.. idle.Recommended.Select((past, i) => i == 3 ? past with { Workers = 3 } : past)] };
        var advice = Decide(idle);
        Assert.Equal(3, advice.Workers);
        Assert.Contains("3 were needed within 180 s", advice.Reason);
    }

    [Fact]
    public void It_never_scales_below_what_the_work_in_flight_fills()
    {
        var advice = Decide(Facts.Of(desired: 4, waiting: 0, pending: 30, arrivals: 1).Steadily(1, Window));
        Assert.Equal(3, advice.Workers);
        Assert.Contains("30 in progress need 3 × 12 slots", advice.Reason);
    }

    [Fact]
    public void Arrivals_just_below_the_capacity_of_fewer_workers_keep_the_number()
    {
        // 11 a second are within the capacity of three (11.25), but not by the tolerance.
        Assert.Equal(4, Decide(Facts.Of(desired: 4, waiting: 0, pending: 20, arrivals: 11).Steadily(4, Window)).Workers);
        Assert.Equal(3, Decide(Facts.Of(desired: 4, waiting: 0, pending: 20, arrivals: 10).Steadily(3, Window)).Workers);
    }

    [Fact]
    public void An_idle_fleet_goes_to_the_minimum_and_no_further()
    {
        var idle = Facts.Of(desired: 4, waiting: 0).Steadily(0, Window);
        Assert.Equal(0, Decide(idle).Workers);
        Assert.Equal(2, Decide(idle, new() { MinWorkers = 2, MaxWorkers = 4, Tolerance = 0.1 }).Workers);
    }

    [Fact]
    public void Without_a_measured_rate_it_keeps_what_there_is_and_wakes_one()
    {
        Assert.Equal(1, Decide(Facts.Of(desired: 0, waiting: 500, rate: null)).Workers);
        Assert.Equal(3, Decide(Facts.Of(desired: 3, waiting: 500, rate: null)).Workers);
    }

    [Fact]
    public void An_unreliable_measurement_scales_up_but_never_down()
    {
        var blocker = "the clock of Redis jumped by 3600 s";
        Assert.Equal(4, Decide(Facts.Of(desired: 4, waiting: 0).Steadily(0, Window) with { ScaleDownBlocker = blocker }).Workers);
        Assert.Equal(12, Decide(Facts.Of(desired: 4, waiting: 400) with { ScaleDownBlocker = blocker }).Workers);
    }

    [Fact]
    public void A_worker_that_never_becomes_ready_is_replaced()
    {
        var snapshot = Facts.Of(desired: 2, waiting: 60, ready: 1, starting: 1, age: 600);
        snapshot = snapshot with
        {
            Workers = [.. snapshot.Workers.Select(worker => worker with { Stuck = worker.State is WorkerState.Starting })],
        };
        var advice = Decide(snapshot);
        Assert.Equal(3, advice.Workers);
        Assert.Contains("1 that never became ready", advice.Reason);
    }

    [Fact]
    public void The_reason_has_the_numbers_in_it() => Assert.Equal(
        "376 waiting and 24 in progress, 7.5 arriving a second, 3.75 a second per worker, 10 s allowed: up from 2 to 12.",
        Decide(Facts.Of(desired: 2, waiting: 376, pending: 24, arrivals: 7.5)).Reason);
}
