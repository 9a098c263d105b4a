using Muse.Autoscaler;

namespace Muse.Tests.Deploy;

/// <summary>
/// What the HorizontalPodAutoscaler that KEDA makes does with the number of workers wanted. Its rules are those of Kubernetes' controller
/// (pkg/controller/podautoscaler/replica_calculator.go) for an external metric, where all pods are ready.
/// </summary>
public sealed class HpaToleranceTests
{
    /// <summary>The controller's default, --horizontal-pod-autoscaler-tolerance.</summary>
    const double DefaultTolerance = 0.1;

    /// <summary>For a target of the type AverageValue.</summary>
    static int AverageValue(int current, double value, double target, double tolerance) =>
        Math.Abs(1 - value / (target * current)) <= tolerance ? current : (int)Math.Ceiling(value / target);

    /// <summary>For a target of the type Value.</summary>
    static int Value(int current, double value, double target, double tolerance) =>
        Math.Abs(1 - value / target) <= tolerance ? current : (int)Math.Ceiling(value / target * current);

    public static IEnumerable<(int Current, int Desired)> Pairs =>
        from current in Enumerable.Range(1, 100) from desired in Enumerable.Range(1, 120) select (current, desired);

    [Fact]
    public void With_the_tolerance_0_that_the_chart_sets_every_number_is_reached() =>
        Assert.All(Pairs, pair => Assert.Equal(pair.Desired, AverageValue(pair.Current, pair.Desired, KedaScaler.Target, tolerance: 0)));

    [Fact]
    public void With_the_default_tolerance_the_difference_that_stays_is_at_most_a_tenth_of_the_workers()
    {
        foreach (var (current, desired) in Pairs)
        {
            var reached = AverageValue(current, desired, KedaScaler.Target, DefaultTolerance);
            Assert.True(reached == desired || Math.Abs(desired - current) <= current * DefaultTolerance + 1e-9, $"{current} to {desired}");
        }

        Assert.Equal(20, AverageValue(20, 21, KedaScaler.Target, DefaultTolerance));
        Assert.Equal(9, AverageValue(8, 9, KedaScaler.Target, DefaultTolerance));
    }

    [Fact]
    public void No_other_value_of_the_metric_gets_21_workers_from_20_with_the_default_tolerance()
    {
        // Whatever passes the tolerance asks for 23 or more, or for 18 or fewer.
        for (var value = 0.0; value <= 100; value += 0.001)
        {
            Assert.NotEqual(21, AverageValue(20, value, 1, DefaultTolerance));
            Assert.NotEqual(21, Value(20, value, 20, DefaultTolerance));
        }

        Assert.Equal(23, AverageValue(20, 22.001, 1, DefaultTolerance));
        Assert.Equal(23, Value(20, 22.001, 20, DefaultTolerance));
    }
}
