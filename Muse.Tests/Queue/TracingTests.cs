using System.Net.Http.Json;
using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Queue;

/// <summary>The traces that the real programs export.</summary>
public sealed class TracingTests
{
    const string RedisSource = "OpenTelemetry.Instrumentation.StackExchangeRedis";

    [RedisFact]
    public async Task A_request_is_one_trace_with_its_Redis_commands_and_polling_makes_no_trace()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var collector = await OtlpCollector.StartAsync();
        var port = RedisServer.FreePort();
        await using var api = new ProgramProcess("Muse.Api", redis,
            [("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"), ("MUSE_RATE_LIMITS", "false"), .. collector.Settings("api")]);
        await using var worker = new ProgramProcess("Muse.GpuWorker", redis,
            [("MUSE_GPU_TYPE", "simulated:base=10ms,picture=1ms"), .. collector.Settings("worker")]);
        await using var autoscaler = new ProgramProcess("Muse.Autoscaler", redis,
            [("MUSE_AUTOSCALE_INTERVAL", "1"), .. collector.Settings("autoscaler")]);
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };

        // Twice: the first request starts the API's loops, which must not belong to its trace.
        for (var request = 1; request <= 2; request++)
        {
            await EventuallyAsync(async () =>
            {
                try
                {
                    using var response = await client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" });
                    return response.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false; // It starts.
                }
            }, succeeded => succeeded);
            // Commands are exported some seconds after they were sent, with all others of that time, polling included.
            await EventuallyAsync(
                () => Task.FromResult(Requests().Count(spans => HasCommandsOf(spans, "api") && HasCommandsOf(spans, "worker"))),
                complete => complete >= request);
        }

        // What is left is exported when a program ends.
        foreach (var program in (ProgramProcess[])[api, worker, autoscaler])
        {
            program.Terminate();
            await program.WaitForExitAsync(Limit());
        }

        Assert.DoesNotContain(collector.Spans, span => span.Source == RedisSource && span.ParentId.Length == 0);
        foreach (var spans in Requests())
        {
            Assert.Single(spans, span => span.ParentId.Length == 0);
            // A sweep or poll that runs in the trace of the first request would add to it for as long as the program runs.
            Assert.InRange(spans.Count(span => span.Source == RedisSource), 2, 20);
        }

        IEnumerable<List<ExportedSpan>> Requests() => collector.Spans.GroupBy(span => span.TraceId).Select(trace => trace.ToList())
            .Where(trace => trace.Any(span =>
                span is { Service: "api", ParentId: "" } && span.Name.StartsWith("POST", StringComparison.Ordinal)));

        static bool HasCommandsOf(List<ExportedSpan> spans, string service) =>
            spans.Any(span => span.Source == RedisSource && span.Service == service);
    }
}
