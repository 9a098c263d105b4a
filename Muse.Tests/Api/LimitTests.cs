using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Muse.Api;
using Muse.Queue;

namespace Muse.Tests.Api;

/// <summary>What one caller may use, and what a link gives.</summary>
public sealed class LimitTests
{
    const string Alice = "alice-0123456789abcdef", AliceNew = "alice-fedcba9876543210";

    [SkippableFact]
    public async Task Images_are_counted_over_all_processes_and_not_requests()
    {
        var settings = new Dictionary<string, string>
        {
            ["Api:Keys"] = $"alice:{Alice}",
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:KeyRequests"] = "5",
            ["Api:RateLimits:KeyWindow"] = "01:00:00",
        };
        await using var one = await ApiServer.StartAsync(settings: settings);
        await using var other = await ApiServer.StartAsync(settings: settings, redis: one.Redis, withoutWorker: true);
        using var client = one.NewClient(Alice);
        using var second = other.NewClient(Alice);
        Assert.Equal(HttpStatusCode.OK, (await client.PostAsJsonAsync("/v1/images/generations",
            new { prompt = "a fox", n = 4 })).StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests,
            (await second.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox", n = 2 })).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await second.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" })).StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests,
            (await client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" })).StatusCode);
    }

    [SkippableFact]
    public async Task Addresses_of_one_IPv6_network_share_a_limit()
    {
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        {
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:AnonymousWindow"] = "01:00:00",
            ["Api:TrustedProxies"] = "127.0.0.1",
        });
        Assert.Equal(HttpStatusCode.OK, await PostAsync("2001:db8:1:2::1"));
        Assert.Equal(HttpStatusCode.TooManyRequests, await PostAsync("2001:db8:1:2:ffff::9"));
        Assert.Equal(HttpStatusCode.OK, await PostAsync("2001:db8:1:3::1"));

        async Task<HttpStatusCode> PostAsync(string address)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post,
                "/v1/images/generations")
            { Content = JsonContent.Create(new { prompt = "a fox" }) };
            request.Headers.Add("X-Forwarded-For", address);
            using var response = await server.Client.SendAsync(request);
            return response.StatusCode;
        }
    }

    [SkippableFact]
    public async Task A_caller_may_keep_only_so_many_requests_open()
    {
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        {
            ["Api:Keys"] = $"alice:{Alice}",
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:KeyOpenRequests"] = "2",
        });
        using var client = server.NewClient(Alice);
        using var made = await client.PostAsJsonAsync("/v1/generations", new { prompt = "hold it" });
        using var first = await client.GetStreamAsync($"{made.Headers.Location}/events");
        using var second = await client.GetStreamAsync($"{made.Headers.Location}/events");
        using var third = await client.GetAsync($"{made.Headers.Location}/events", HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
        Assert.NotNull(third.Headers.RetryAfter);
    }

    [SkippableFact]
    public async Task Both_secrets_of_a_name_open_the_same_jobs()
    {
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        { ["Api:Keys"] = $"alice:{Alice},alice:{AliceNew}" });
        using var client = server.NewClient(Alice);
        using var rotated = server.NewClient(AliceNew);
        using var made = await client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" });
        Assert.Equal(HttpStatusCode.OK, (await rotated.GetAsync(made.Headers.Location)).StatusCode);
    }

    [SkippableFact]
    public async Task A_link_works_only_as_it_was_signed_until_it_expires_and_on_every_process()
    {
        await using var server = await ApiServer.StartAsync();
        await using var other = await ApiServer.StartAsync(redis: server.Redis, withoutWorker: true);
        using var response = await server.Client.PostAsJsonAsync("/v1/images/generations",
            new { prompt = "a fox", n = 2, response_format = "url" });
        var link = new Uri((await response.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!.Data[0].Url!);
        Assert.Equal(HttpStatusCode.OK, await GetAsync(server, link.PathAndQuery));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(other, link.PathAndQuery));
        foreach (var forged in (string[])[link.AbsolutePath, link.PathAndQuery.Replace("/0.png", "/1.png"), link.PathAndQuery + "x",
            link.PathAndQuery.Replace("expires=", "expires=9"), link.PathAndQuery.Replace("signature=", "signature=%00"),
                $"{link.AbsolutePath}?expires=99999999999&signature="])
        {
            Assert.Equal(HttpStatusCode.NotFound, await GetAsync(server, forged));
        }

        await using var brief = await ApiServer.StartAsync(redis: server.Redis, withoutWorker: true,
            settings: new Dictionary<string, string> { ["Api:LinkLifetime"] = "00:00:10" });
        var job = (await brief.Services.GetRequiredService<JobQueue>().FindAsync(link.Segments[^2].TrimEnd('/'), default))!;
        await brief.Client.GetAsync("/v1/generations");
        var links = brief.Services.GetRequiredService<ImageLinks>();
        var expired = links.Create(new Microsoft.AspNetCore.Http.DefaultHttpContext { Request = { Scheme = "http", Host = new("h") } },
            job with { FinishedAt = DateTimeOffset.UtcNow.AddSeconds(-11) }, 0);
        Assert.Equal(HttpStatusCode.NotFound, await GetAsync(server, new Uri(expired).PathAndQuery));

        static async Task<HttpStatusCode> GetAsync(ApiServer server, string path)
        {
            using var file = await server.Client.GetAsync(path);
            return file.StatusCode;
        }
    }

    [SkippableFact]
    public async Task An_image_that_the_client_has_is_not_read_again()
    {
        await using var server = await ApiServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post,
            "/v1/generations")
        { Content = JsonContent.Create(new { prompt = "a fox" }), Headers = { { "Prefer", "wait=30" } } };
        using var made = await server.Client.SendAsync(request);
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        using var image = await server.Client.GetAsync(job.Images[0].ImageUrl);
        var redis = server.Services.GetRequiredService<StackExchange.Redis.IConnectionMultiplexer>();
        Assert.True(await redis.GetDatabase().KeyDeleteAsync($"muse:{{scenes}}:job:{job.Id}:pictures:0"));
        foreach (var known in (string[])[image.Headers.ETag!.ToString(), $"\"other\", W/{image.Headers.ETag}", "*"])
        {
            using var again = new HttpRequestMessage(HttpMethod.Get, job.Images[0].ImageUrl);
            again.Headers.TryAddWithoutValidation("If-None-Match", known);
            using var unchanged = await server.Client.SendAsync(again);
            Assert.Equal((HttpStatusCode.NotModified, image.Headers.ETag), (unchanged.StatusCode, unchanged.Headers.ETag));
        }
    }

    [SkippableFact]
    public async Task Many_who_ask_for_health_cost_one_check_a_second()
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true);
        await using var redis = await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync(
            $"{server.Redis.ConnectionString},allowAdmin=true");
        var before = await PingsAsync();
        foreach (var answer in await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => server.Client.GetAsync("/health"))))
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        // One for each second that it took, and the heartbeats of the connection itself.
        Assert.InRange(await PingsAsync() - before, 0, 100);

        async Task<long> PingsAsync()
        {
            var stats = (await redis.GetServers()[0].InfoAsync("commandstats")).SelectMany(group => group)
                .FirstOrDefault(command => command.Key == "cmdstat_ping").Value;
            return stats is null ? 0 : long.Parse(stats.Split(',')[0].Split('=')[1]);
        }
    }

    [SkippableFact]
    public async Task Where_a_safety_checker_runs_no_preview_is_made_or_shown()
    {
        await using var first = await ApiServer.StartAsync();
        await first.Services.GetRequiredService<Fleet>().AnnounceModelAsync(FlatImageWorker.Card with { SafetyChecker = true }, default);
        await using var server = await ApiServer.StartAsync(redis: first.Redis, withoutWorker: true);
        using var response = await server.Client.PostAsJsonAsync("/v1/images/generations",
            new { prompt = "a fox", stream = true, partial_images = 3 });
        var events = await Sse.ReadAllAsync(await response.Content.ReadAsStreamAsync());
        Assert.Equal("image_generation.completed", Assert.Single(events).EventType);
        Assert.Contains("safety checker", events[0].Data.GetProperty("warnings")[0].GetString());
        Assert.Equal(0, first.Worker!.Seen.Last().Previews);

        // A job that was submitted before its model was known may have previews.
        using var made = await first.Client.PostAsJsonAsync("/v1/generations", new { prompt = "hold it", previews = 3 });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        await ImagesTests.Until(() => first.Worker.Seen.Any(seen => seen.Id == job.Id));
        using var preview = await server.Client.GetAsync($"/v1/generations/{job.Id}/images/0/preview");
        Assert.Equal(HttpStatusCode.NotFound, preview.StatusCode);
    }
}
