using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Muse.Api;

namespace Muse.Tests.Api;

public sealed class CallersTests
{
    const string Alice = "alice-0123456789abcdef", Bob = "bob-0123456789abcdef", Olga = "olga-0123456789abcdef";
    static readonly Dictionary<string, string> Keys = new() { ["Api:Keys"] = $"alice:{Alice},bob:{Bob},olga:{Olga}:operator" };

    [SkippableFact]
    public async Task Without_a_known_key_nothing_is_shown_or_generated()
    {
        await using var server = await ApiServer.StartAsync(settings: Keys);
        foreach (var key in (string?[])[null, "wrong-0123456789abcdef", Alice + "x"])
        {
            using var client = server.NewClient(key);
            foreach (var path in (string[])["/v1/models", "/v1/generations", "/v1/ops/dead-letters", "/metrics"])
            {
                using var refused = await client.GetAsync(path);
                Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            }
            using var post = await client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" });
            Assert.Equal("authentication_error", (await post.Content.ReadFromJsonAsync(ApiJson.Default.OpenAIErrorBody))!.Error.Type);
        }
        Assert.Empty(server.Worker!.Seen);
        using var xKey = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { { "x-api-key", Alice } } };
        Assert.Equal(HttpStatusCode.OK, (await server.Client.SendAsync(xKey)).StatusCode);
    }

    [SkippableFact]
    public async Task Anothers_job_cannot_be_seen_watched_fetched_cancelled_or_listed()
    {
        await using var server = await ApiServer.StartAsync(settings: Keys);
        using var alice = server.NewClient(Alice);
        using var request = new HttpRequestMessage(HttpMethod.Post,
            "/v1/generations")
        {
            Content = JsonContent.Create(new { prompt = "a fox" }),
            Headers = { { "Prefer", "wait=30" }, { "Idempotency-Key", "same" } }
        };
        using var made = await alice.SendAsync(request);
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        using var held = await alice.PostAsJsonAsync("/v1/generations", new { prompt = "hold it" });
        var running = (await held.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;

        foreach (var key in (string[])[Bob, Olga])
        {
            using var other = server.NewClient(key);
            foreach (var path in (string[])["", "/events", "/images/0", "/images/0/preview"])
            {
                using var hidden = await other.GetAsync($"/v1/generations/{job.Id}{path}");
                Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);
            }
            using var delete = await other.DeleteAsync($"/v1/generations/{running.Id}");
            Assert.Equal(HttpStatusCode.NotFound, delete.StatusCode);
            Assert.Empty((await other.GetFromJsonAsync("/v1/generations", ApiJson.Default.GenerationList))!.Data);
            using var sameKey = new HttpRequestMessage(HttpMethod.Post,
                "/v1/generations")
            { Content = JsonContent.Create(new { prompt = "a fox" }), Headers = { { "Idempotency-Key", "same" } } };
            using var own = await other.SendAsync(sameKey);
            Assert.NotEqual(job.Id, (await own.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!.Id);
            using var clean = await other.DeleteAsync(own.Headers.Location);
        }
        Assert.Equal("running", (await alice.GetFromJsonAsync($"/v1/generations/{running.Id}", ApiJson.Default.Generation))!.State);
        Assert.Equal(2, (await alice.GetFromJsonAsync("/v1/generations", ApiJson.Default.GenerationList))!.Data.Count);
    }

    [SkippableFact]
    public async Task Operators_routes_need_an_operators_key_and_show_the_system()
    {
        await using var server = await ApiServer.StartAsync(settings: Keys);
        using var alice = server.NewClient(Alice);
        foreach (var path in (string[])["/v1/ops/stream", "/v1/ops/dead-letters", "/metrics"])
            Assert.Equal(HttpStatusCode.Forbidden, (await alice.GetAsync(path)).StatusCode);
        using var olga = server.NewClient(Olga);
        using var stream = await olga.GetStreamAsync("/v1/ops/stream");
        var events = await Sse.ReadAllAsync(stream, item => item.EventType == "now");
        Assert.Equal("history", events[0].EventType);
        Assert.Equal(0, events[^1].Data.GetProperty("queue").GetProperty("waiting").GetInt32());
        Assert.Contains("muse_api_waiting_jobs", await olga.GetStringAsync("/metrics"));
        Assert.Equal(HttpStatusCode.NotFound, (await olga.PostAsync("/v1/ops/dead-letters/1-1/requeue", null)).StatusCode);
    }

    [SkippableFact]
    public async Task A_caller_above_the_rate_limit_gets_the_time_to_retry_after()
    {
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        {
            ["Api:Keys"] = $"alice:{Alice}",
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:KeyRequests"] = "1",
            ["Api:RateLimits:KeyWindow"] = "01:00:00",
        });
        using var alice = server.NewClient(Alice);
        using var first = await alice.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" });
        using var second = await alice.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" });
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
        Assert.InRange(second.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromMinutes(50), TimeSpan.FromHours(1));
    }

    [SkippableFact]
    public async Task Only_a_trusted_proxy_sets_the_client_address_and_the_host_of_links()
    {
        var limits = new Dictionary<string, string>
        {
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:AnonymousWindow"] = "01:00:00"
        };
        await using var behind = await ApiServer.StartAsync(settings: new Dictionary<string, string>(limits)
        { ["Api:TrustedProxies"] = "127.0.0.0/8,::1" });
        var first = await PostAsync(behind, "192.0.2.1");
        Assert.StartsWith("https://muse.example/v1/images/files/", first!.Data[0].Url);
        Assert.NotNull(await PostAsync(behind, "192.0.2.2"));
        Assert.Null(await PostAsync(behind, "192.0.2.1"));

        await using var open = await ApiServer.StartAsync(settings: limits);
        var link = (await PostAsync(open, "192.0.2.1"))!.Data[0].Url!;
        Assert.StartsWith(open.Address.ToString(), link);

        static async Task<ImagesResponseBody?> PostAsync(ApiServer server, string client)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/images/generations")
            {
                Content = JsonContent.Create(new { prompt = "a fox", response_format = "url" }),
                Headers = { { "X-Forwarded-For", client }, { "X-Forwarded-Host", "muse.example" }, { "X-Forwarded-Proto", "https" } },
            };
            using var response = await server.Client.SendAsync(request);
            return response.IsSuccessStatusCode ? await response.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody) : null;
        }
    }

    [SkippableFact]
    public async Task Every_endpoint_says_whom_it_is_for()
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true);
        var unmarked = server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<IAuthorizeData>() is null
                && endpoint.Metadata.GetMetadata<IAllowAnonymous>() is null)
            .Select(endpoint => endpoint.RoutePattern.RawText);
        Assert.Equal(["/alive", "/health"], unmarked.Order());
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("alice:0123456789abcdef,bob:0123456789abcdeg:operator", null)]
    [InlineData("alice:short", "shorter than 16")]
    [InlineData("0123456789abcdef", "name:secret")]
    [InlineData("alice:0123456789abcdef:root", "name:secret")]
    [InlineData("alice:0123456789abcdef,alice:0123456789abcdeg", null)]
    [InlineData("alice:0123456789abcdef,alice:0123456789abcdeg:operator", "'alice' is an operator with one secret")]
    [InlineData("alice:0123456789abcdef,bob:0123456789abcdef", "the same secret twice")]
    public void An_invalid_list_of_keys_stops_the_program_and_no_secret_is_logged(string keys, string? complaint)
    {
        var result = new ApiOptionsValidator().Validate(null, new() { Keys = keys });
        Assert.Equal(complaint is not null, result.Failed);
        Assert.Contains(complaint ?? "", result.FailureMessage ?? "");
        Assert.DoesNotContain("0123456789abcdef", result.FailureMessage ?? "");
    }
}
