using System.Net;
using System.Net.Http.Json;

namespace Muse.Tests.Api;

public sealed class RateLimitTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
    {
        ["Api:RateLimits:Enabled"] = "true",
        ["Api:RateLimits:AnonymousWindow"] = "01:00:00",
        ["Api:TrustedProxies"] = "127.0.0.1",
    });

    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task A_local_caller_may_send_ten_prompts_at_once()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 10)
            .Select(_ => server.Client.PostAsJsonAsync("/v1/images/generations", new { prompt = "a fox" })));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
    }

    [SkippableFact]
    public async Task A_caller_behind_the_proxy_above_the_limit_gets_the_time_to_retry_after()
    {
        Assert.Equal(HttpStatusCode.OK, (await AskAsync("203.0.113.7")).StatusCode);
        using var second = await AskAsync("203.0.113.7");
        Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
        Assert.NotNull(second.Headers.RetryAfter?.Delta);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync("203.0.113.8")).StatusCode);
    }

    Task<HttpResponseMessage> AskAsync(string address)
    {
        var request = new HttpRequestMessage(HttpMethod.Post,
            "/v1/images/generations")
        { Content = JsonContent.Create(new { prompt = "a fox" }) };
        request.Headers.Add("X-Forwarded-For", address);
        return server.Client.SendAsync(request);
    }
}
