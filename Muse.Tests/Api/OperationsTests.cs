using System.Net;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using Muse.Tests.Deploy;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

/// <summary>What operators see.</summary>
public sealed partial class OperationsTests
{
    [SkippableFact]
    public async Task Every_API_process_shows_the_waiting_times_of_all_workers()
    {
        await using var one = await ApiServer.StartAsync();
        await using var other = await ApiServer.StartAsync(redis: one.Redis, withoutWorker: true);
        using (var response = await one.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox", n = 3 }))
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        using var stream = await other.Client.GetStreamAsync("/v1/ops/stream");
        var now = (await Sse.ReadAllAsync(stream, item => item.EventType == "now" && item.Data.TryGetProperty("wait_p95", out _)))[^1].Data;
        Assert.InRange(now.GetProperty("wait_p50").GetDouble(), 0, now.GetProperty("wait_p95").GetDouble());
    }

    [SkippableFact]
    public async Task The_dashboard_asks_for_nothing_that_an_API_a_worker_and_an_autoscaler_do_not_expose()
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true);
        var (port, autoscalerPort) = (RedisServer.FreePort(), RedisServer.FreePort());
        await using var autoscaler = new ProgramProcess("Muse.Autoscaler", server.Redis,
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{autoscalerPort}"));
        await using var worker = new ProgramProcess("Muse.GpuWorker", server.Redis, ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"),
            ("MUSE_GPU_TYPE", "simulated:base=1ms,picture=1ms"));
        using (var response = await server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox", n = 2 }))
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);

        var asked = Dashboard.Queries().Select(query => LabelLists().Replace(query, "")).SelectMany(query => Names().Matches(query))
            .Select(name => name.Value).ToHashSet();
        Assert.Superset(new HashSet<string> { "muse_queue_waiting", "muse_batch_size_sum", "muse_step_duration_seconds_bucket",
            "muse_api_waiting_jobs", "http_server_request_duration_seconds_count" }, asked);
        var missing = await Queue.Samples.EventuallyAsync(async () =>
        {
            var exposed = await server.Client.GetStringAsync("/metrics")
                + await server.Client.GetStringAsync($"http://127.0.0.1:{port}/metrics")
                + await server.Client.GetStringAsync($"http://127.0.0.1:{autoscalerPort}/metrics");
            // Its queries choose by these labels.
            var names = exposed.Split('\n').Where(line => line.Contains("muse_model=\"scenes\"")
                || line.Contains("http_response_status_code=\"200\"")).Select(line => line[..line.IndexOf('{')]);
            return string.Join(", ", asked.Except(names));
        }, missing => missing == "");
        Assert.Equal("", missing);
    }

    [GeneratedRegex(@"by \([^)]*\)|, *muse_model\)")]
    private static partial Regex LabelLists();

    [GeneratedRegex(@"\b(muse|http)_\w+(?=[{\[),]|$)")]
    private static partial Regex Names();
}
