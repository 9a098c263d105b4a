using System.Net;
using System.Net.Http.Json;

namespace Muse.Tests.Api;

/// <summary>What operators see.</summary>
public sealed class OperationsTests
{
    [SkippableFact]
    public async Task Every_API_process_tells_the_waiting_times_of_all()
    {
        await using var one = await ApiServer.StartAsync();
        await using var other = await ApiServer.StartAsync(redis: one.Redis, withoutPainter: true);
        using (var painted = await one.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox", n = 3 }))
            Assert.Equal(HttpStatusCode.OK, painted.StatusCode);
        using var stream = await other.Client.GetStreamAsync("/v1/ops/stream");
        var now = (await Sse.ReadAllAsync(stream, item => item.EventType == "now" && item.Data.TryGetProperty("wait_p95", out _)))[^1].Data;
        Assert.InRange(now.GetProperty("wait_p50").GetDouble(), 0, now.GetProperty("wait_p95").GetDouble());
    }
}
