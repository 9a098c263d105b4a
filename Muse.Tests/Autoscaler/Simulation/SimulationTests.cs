using Muse.Autoscaler.Simulator;
using Muse.Queue;

namespace Muse.Tests.Autoscaler;

public class SimulationTests
{
    static SimulationSettings Settings(string trace, string policy = "drain", int min = 1) => new()
    {
        Trace = LoadTrace.Find(trace)!,
        Autoscaler = new() { Policy = policy, MinWorkers = min, MaxWorkers = 40 },
        Seed = 1,
    };

    static void AssertKeepsTheTarget(SimulationRecord record, double share, double hours)
    {
        var optimum = OptimalSchedule.Plan(record.Settings);
        Assert.NotNull(record.FirstScaleUpComplete);
        Assert.InRange(record.WithinTarget(record.FirstScaleUpComplete.Value), share, 1);
        Assert.InRange(record.WorkerHours / optimum.WorkerHours, 1, hours);
        Assert.InRange(record.ReversalsInAWindow(), 0, 1);
    }

    [Fact]
    public void On_the_ramp_drain_keeps_the_target_with_few_more_worker_hours_than_the_optimum() =>
        AssertKeepsTheTarget(Simulation.Run(Settings("ramp")), share: 0.95, hours: 1.25);

    [Fact]
    public void Over_a_day_drain_keeps_the_target_with_few_more_worker_hours_than_the_optimum() =>
        AssertKeepsTheTarget(Simulation.Run(Settings("daily")), share: 0.99, hours: 1.2);

    [Fact]
    public void The_optimum_itself_keeps_the_target()
    {
        var settings = Settings("ramp");
        var planned = Simulation.Run(settings with { Schedule = OptimalSchedule.Plan(settings).At });
        Assert.InRange(planned.WithinTarget(), 0.95, 1);
    }

    [Theory]
    [InlineData("burst")]
    [InlineData("onoff")]
    public void Drain_does_not_flap(string trace) => Assert.InRange(Simulation.Run(Settings(trace)).ReversalsInAWindow(), 0, 1);

    [Theory]
    [InlineData("drain")]
    [InlineData("step")]
    public void Without_a_minimum_it_scales_to_zero_and_up_at_the_first_request(string policy)
    {
        var record = Simulation.Run(Settings("onoff", policy, min: 0));
        // There are no requests from the tenth to the twentieth minute.
        Assert.Equal(0, record.Points[20 * 60 - 1].Wanted);
        Assert.InRange(record.Points[20 * 60 + 2].Wanted, 1, 40);
    }

    [Fact]
    public void Workers_that_crash_or_never_become_ready_are_replaced()
    {
        var record = Simulation.Run(Settings("onoff") with { MeanTimeToCrash = TimeSpan.FromMinutes(20), NeverReady = 0.05, Seed = 3 });
        Assert.InRange(record.Answered, 17_000, 20_000);
        // At the end of the last pause nothing waits.
        Assert.Equal(0, record.Points[^1].Queue);
    }

    [Fact]
    public void The_same_seed_gives_the_same_run()
    {
        var (one, same) = (Simulation.Run(Settings("burst")), Simulation.Run(Settings("burst")));
        var other = Simulation.Run(Settings("burst") with { Seed = 2 });
        Assert.Equal(one.Points, same.Points);
        Assert.NotEqual(one.Points, other.Points);
    }

    [Fact]
    public void The_command_prints_both_policies_and_draws_them()
    {
        var folder = Directory.CreateTempSubdirectory("muse-plots-").FullName;
        var (output, errors) = (new StringWriter(), new StringWriter());
        Assert.Equal(0, SimulateCommand.Run(["--trace", "burst", "--out", folder], output, errors));
        Assert.Contains("simulated device: 40 ms + 10 ms an image for each of 20 steps", output.ToString());
        foreach (var policy in (string[])["drain", "step"])
        {
            Assert.Contains($"\n{policy} ", output.ToString());
            Assert.True(new FileInfo(Path.Combine(folder, $"burst-{policy}.png")).Length > 10_000);
        }
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("--trace", "magic", "--trace must be one of ramp, daily, burst, onoff; it is magic.")]
    [InlineData("--policy", "magic", "The field Policy must be drain or step.")]
    [InlineData("--seed", "x", "--seed must be a number and not negative; it is x.")]
    [InlineData("--magic", "1", "There is no --magic.")]
    public void The_command_reports_a_wrong_argument(string name, string value, string error)
    {
        var errors = new StringWriter();
        Assert.Equal(2, SimulateCommand.Run(["--trace", "burst", name, value], TextWriter.Null, errors));
        Assert.Contains(error, errors.ToString());
    }

    [Fact]
    public void Recorded_decisions_become_a_plot_with_the_arrivals_between_them()
    {
        ScalingDecision At(int second, int workers, long arrivals) =>
            new(workers, "because", Facts.Now.AddSeconds(second), "drain", new(3, 4, null, arrivals, 0, Facts.Now));
        Assert.Equal(
            [new PlotPoint(0, 0, 7, 1, -1), new PlotPoint(30, 2, 7, 4, -1)],
            PlotCommand.Points([At(0, 1, 100), At(30, 4, 160)]));
    }
}
