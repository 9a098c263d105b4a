using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Muse.Api;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

public sealed class WebhookTests
{
    const string Secret = "webhook-0123456789abcdef";

    [SkippableFact]
    public async Task The_end_of_a_job_is_announced_signed_and_again_after_a_failure()
    {
        var calls = Channel.CreateUnbounded<(Dictionary<string, string> Headers, string Body)>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{RedisServer.FreePort()}");
        await using var receiver = builder.Build();
        var failures = 2;
        receiver.MapPost("/ended", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body);
            calls.Writer.TryWrite((context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString()), await reader.ReadToEndAsync()));
            context.Response.StatusCode = failures-- > 0 ? 500 : 204;
        });
        await receiver.StartAsync();
        var origin = receiver.Urls.First();
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string> { ["Api:WebhookOrigins"] = origin, ["Api:WebhookSecret"] = Secret, ["Api:WebhookRetryDelay"] = "00:00:00.010" });

        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = $"{origin}/ended" });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        for (var i = 0; i < 3; i++)
        {
            var (headers, body) = await calls.Reader.ReadAsync(limit.Token);
            var signed = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes($"{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{body}"));
            Assert.Equal($"v1,{Convert.ToBase64String(signed)}", headers["webhook-signature"]);
            var told = JsonSerializer.Deserialize(body, ApiJson.Default.WebhookBody)!;
            Assert.Equal(("generation.succeeded", job.Id), (told.Type, told.Data.Id));
        }
    }

    [SkippableTheory]
    [InlineData("https://elsewhere.example/x")]
    [InlineData("http://hooks.example/x")]
    [InlineData("https://hooks.example:8443/x")]
    [InlineData("https://user@hooks.example/x")]
    [InlineData("https://hooks.example.evil.example/x")]
    [InlineData("file:///etc/passwd")]
    [InlineData("/x")]
    public async Task An_address_that_the_operator_does_not_allow_is_refused(string address)
    {
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string> { ["Api:WebhookOrigins"] = "hooks.example", ["Api:WebhookSecret"] = Secret }, withoutPainter: true);
        using var refused = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = address });
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("webhook", (await refused.Content.ReadFromJsonAsync(ApiJson.Default.ProblemBody))!.Field);
        using var allowed = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = "https://hooks.example/x" });
        Assert.Equal(HttpStatusCode.Accepted, allowed.StatusCode);
    }
}
