using System.Net;
using System.Net.Http.Json;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Api;

/// <summary>A short outage of Redis, as a load balancer and a client see it.</summary>
public sealed class ReadinessTests
{
    [SkippableFact]
    public async Task While_Redis_is_away_the_API_stays_in_service_and_requests_get_503_with_a_time_to_come_back()
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true,
            settings: new Dictionary<string, string> { ["Queue:ReadinessGrace"] = "01:00:00" });
        await server.Redis.KillAsync();
        Assert.Equal("Degraded", await EventuallyAsync(() => server.Client.GetStringAsync("/health"), health => health != "Healthy"));
        using (var response = await server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" }))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.True(response.Headers.RetryAfter!.Delta > TimeSpan.Zero);
        }

        await server.Redis.LaunchAsync();
        await EventuallyAsync(() => server.Client.GetStringAsync("/health"), health => health == "Healthy");
        using (var response = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" }))
            Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    [SkippableFact]
    public async Task Without_a_grace_it_is_taken_out_of_service_at_once()
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true,
            settings: new Dictionary<string, string> { ["Queue:ReadinessGrace"] = "00:00:00" });
        await server.Redis.KillAsync();
        await EventuallyAsync(async () => (await server.Client.GetAsync("/health")).StatusCode,
            status => status == HttpStatusCode.ServiceUnavailable);
        Assert.Equal("Healthy", await server.Client.GetStringAsync("/alive"));
    }
}
