using System.Net;
using System.Net.Http.Json;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

/// <summary>Who has which rights while keys are off.</summary>
public sealed class LocalAccessTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync();
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableTheory]
    [InlineData("X-Forwarded-For", "203.0.113.9")]
    [InlineData("X-Forwarded-For", "127.0.0.1")]
    [InlineData("x-forwarded-proto", "https")]
    [InlineData("X-Forwarded-Host", "localhost")]
    [InlineData("Forwarded", "for=127.0.0.1")]
    [InlineData("X-Real-IP", "127.0.0.1")]
    [InlineData("Via", "1.1 proxy")]
    [InlineData("CF-Connecting-IP", "203.0.113.9")]
    [InlineData("True-Client-IP", "203.0.113.9")]
    [InlineData("X-Original-For", "127.0.0.1")]
    [InlineData("Host", "evil.example:8080")]
    [InlineData("Host", "localhost.evil.example")]
    [InlineData("Host", "127.0.0.1.evil.example")]
    [InlineData("Host", "192.168.0.7")]
    public async Task A_request_through_a_proxy_or_to_a_foreign_host_has_no_operators_rights(string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/ops/dead-letters");
        request.Headers.TryAddWithoutValidation(header, value);
        using var response = await server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
    }

    [SkippableTheory]
    [InlineData("localhost")]
    [InlineData("muse.localhost")]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]")]
    public async Task A_direct_local_connection_is_an_operators(string host)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/ops/dead-letters") { Headers = { Host = host } };
        using var response = await server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [SkippableFact]
    public async Task Clients_of_a_proxy_that_is_not_trusted_do_not_see_the_jobs_of_local_users()
    {
        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" });
        using var request = new HttpRequestMessage(HttpMethod.Get,
            made.Headers.Location)
        { Headers = { { "X-Forwarded-For", "203.0.113.9" } } };
        using var hidden = await server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotFound, hidden.StatusCode);
    }

    [SkippableTheory]
    [InlineData("/api/surprise-me", "https://evil.example", null, HttpStatusCode.Forbidden)]
    [InlineData("/v1/images/generations", "https://evil.example", null, HttpStatusCode.Forbidden)]
    [InlineData("/v1/ops/dead-letters/1-1/requeue", "https://evil.example", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("/v1/ops/dead-letters/1-1/requeue", "null", null, HttpStatusCode.Forbidden)]
    [InlineData("/v1/ops/dead-letters/1-1/requeue", "http://localhost:1", "same-site", HttpStatusCode.Forbidden)]
    [InlineData("/v1/ops/dead-letters/1-1/requeue", "OWN", null, HttpStatusCode.NotFound)]
    [InlineData("/v1/ops/dead-letters/1-1/requeue", "https://muse.example", "same-origin", HttpStatusCode.NotFound)]
    public async Task A_page_of_a_foreign_origin_can_change_nothing(string path, string origin, string? site, HttpStatusCode status)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Headers.TryAddWithoutValidation("Origin", origin == "OWN" ? server.Address.GetLeftPart(UriPartial.Authority) : origin);
        if (site is not null)
            request.Headers.Add("Sec-Fetch-Site", site);
        using var response = await server.Client.SendAsync(request);
        Assert.Equal(status, response.StatusCode);
        if (status == HttpStatusCode.Forbidden)
            Assert.Empty(server.Worker!.Seen);
    }

    [SkippableTheory]
    [InlineData("Production", null, null, false)]
    [InlineData("Staging", null, null, false)]
    [InlineData("Production", "true", null, true)]
    [InlineData("Production", null, "ada:0123456789abcdef", true)]
    [InlineData("Development", null, null, true)]
    public async Task Outside_Development_the_API_needs_keys_or_the_setting_that_allows_anonymous_callers(string environment, string? open,
        string? keys, bool starts)
    {
        await using var program = new ProgramProcess("Muse.Api", server.Redis, ("ASPNETCORE_ENVIRONMENT", environment),
            ("DOTNET_ENVIRONMENT", environment),
            ("Api__AllowAnonymous", open ?? "false"), ("MUSE_API_KEYS", keys ?? ""));
        await ImagesTests.Until(() => program.HasExited || program.Output.Contains("Now listening on"));
        Assert.Equal(starts, !program.HasExited);
        if (!starts)
        {
            await ImagesTests.Until(() => program.Output.Contains("Api:AllowAnonymous"));
            Assert.Contains("MUSE_API_KEYS", program.Output);
        }
    }
}
