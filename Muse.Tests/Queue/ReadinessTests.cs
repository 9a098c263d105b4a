using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>What <c>/health</c> says while Redis is away.</summary>
public sealed class ReadinessTests
{
    [RedisFact]
    public async Task A_program_stays_ready_for_the_grace_after_Redis_answered_last()
    {
        var time = new FakeTimeProvider();
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start(time, ("ReadinessGrace", "01:00:00"));
        await BecomesAsync(HealthStatus.Healthy);
        time.Advance(TimeSpan.FromHours(2)); // The time between two checks does not count.
        await BecomesAsync(HealthStatus.Healthy);

        await fixture.Redis.KillAsync();
        await BecomesAsync(HealthStatus.Degraded, advance: false);
        time.Advance(TimeSpan.FromHours(1));
        await BecomesAsync(HealthStatus.Unhealthy);

        await fixture.Redis.LaunchAsync();
        await BecomesAsync(HealthStatus.Healthy);

        // A command over a lost connection is tried again after pauses by this clock.
        async Task BecomesAsync(HealthStatus status, bool advance = true)
        {
            await EventuallyAsync(async () =>
            {
                var checking = api.HealthAsync();
                while (!checking.IsCompleted)
                {
                    time.Advance(TimeSpan.FromMilliseconds(advance ? 100 : 1));
                    await Task.Delay(1);
                }

                return (await checking).Status;
            }, found => found == status);
        }
    }

    [RedisFact]
    public async Task A_program_is_not_ready_before_Redis_has_answered_once()
    {
        await using var fixture = await QueueFixture.StartAsync();
        await fixture.Redis.KillAsync();
        var api = fixture.Start(("ReadinessGrace", "01:00:00"));
        Assert.Equal(HealthStatus.Unhealthy, (await api.HealthAsync()).Status);
        await fixture.Redis.LaunchAsync();
        await EventuallyAsync(api.HealthAsync, report => report.Status == HealthStatus.Healthy);
    }
}
