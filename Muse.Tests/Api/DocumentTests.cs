using System.Net;
using System.Text.Json;

namespace Muse.Tests.Api;

public sealed class DocumentTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync(withoutWorker: true);
    public async Task DisposeAsync() => await server.DisposeAsync();

    [SkippableFact]
    public async Task The_document_is_OpenAPI_3_1_with_every_route_its_errors_and_examples()
    {
        var text = await server.Client.GetStringAsync("/openapi/v1.json");
        var document = JsonDocument.Parse(text).RootElement;
        if (Environment.GetEnvironmentVariable("MUSE_TEST_SAVE_OPENAPI") is { Length: > 0 } path)
            await File.WriteAllTextAsync(path, text);
        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString());
        var paths = document.GetProperty("paths");
        foreach (var route in (string[])["/v1/images/generations", "/v1/models", "/v1/generations", "/v1/generations/{id}",
            "/v1/generations/{id}/events", "/v1/generations/{id}/images/{index}", "/api/predict", "/v1/ops/stream"])
        {
            Assert.True(paths.TryGetProperty(route, out _), route);
        }

        var create = paths.GetProperty("/v1/images/generations").GetProperty("post");
        Assert.Equal(["200", "400", "401", "404", "409", "413", "415", "422", "429", "500", "503", "504"], create.GetProperty("responses")
            .EnumerateObject().Select(response => response.Name));
        Assert.True(create.GetProperty("requestBody").GetProperty("content").GetProperty("application/json")
            .TryGetProperty("example", out _));
        Assert.True(create.GetProperty("responses").GetProperty("200").GetProperty("content").TryGetProperty("text/event-stream", out _));
    }

    [SkippableFact]
    public async Task The_page_to_try_it_takes_nothing_from_elsewhere()
    {
        using var page = await server.Client.GetAsync("/scalar/");
        var html = await page.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.DoesNotContain("cdn.", html);
        Assert.DoesNotMatch("(src|href)=\"https?://", html);
        var policy = page.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("script-src 'self' 'nonce-", policy);
        using var script = await server.Client.GetAsync("/scalar/scalar.js");
        Assert.Equal(HttpStatusCode.OK, script.StatusCode);
    }

    [SkippableFact]
    public async Task Every_other_response_forbids_scripts_that_are_not_its_own_files()
    {
        foreach (var path in (string[])["/health", "/v1/models", "/", "/ops", "/nothing"])
        {
            using var answer = await server.Client.GetAsync(path);
            var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
            Assert.Contains("script-src 'self';", policy);
            Assert.DoesNotContain("unsafe", policy);
            Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        }
    }
}
