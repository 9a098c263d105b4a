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
        await using var receiver = await Receiver.StartAsync(failures: 2);
        await using var server = await ApiServer.StartAsync(settings: receiver.Settings);

        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = receiver.Address });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;

        for (var i = 0; i < 3; i++)
            Assert.Equal(("generation.succeeded", job.Id), await receiver.HearAsync());
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task If_the_process_that_accepted_a_job_ends_another_announces_its_end(bool crashes)
    {
        await using var receiver = await Receiver.StartAsync(failures: 0);
        await using var other = await ApiServer.StartAsync(settings: receiver.Settings);
        var port = RedisServer.FreePort();
        await using var accepting = new ProgramProcess("Muse.Api", other.Redis, [
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"),
            .. receiver.Settings.Select(setting => (setting.Key.Replace(":", "__"), setting.Value)),
        ]);
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        await ImagesTests.Until(() => accepting.Output.Contains("Now listening on"));
        using var made = await client.PostAsJsonAsync("/v1/generations", new { prompt = "hold a fox", webhook = receiver.Address });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;

        if (crashes)
            accepting.Kill();
        else
            accepting.Terminate();
        await accepting.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
        other.Painter!.Release();
        Assert.Equal(("generation.succeeded", job.Id), await receiver.HearAsync());
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
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string,
            string>
        { ["Api:WebhookOrigins"] = "hooks.example", ["Api:WebhookSecret"] = Secret }, withoutPainter: true);
        using var refused = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = address });
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("webhook", (await refused.Content.ReadFromJsonAsync(ApiJson.Default.ProblemBody))!.Field);
        using var allowed = await server.Client.PostAsJsonAsync("/v1/generations",
            new { prompt = "a fox", webhook = "https://hooks.example/x" });
        Assert.Equal(HttpStatusCode.Accepted, allowed.StatusCode);
    }

    /// <summary>Somebody's server that hears of jobs' ends, and refuses the first few times.</summary>
    sealed class Receiver : IAsyncDisposable
    {
        readonly Channel<(Dictionary<string, string> Headers, string Body)> calls = Channel.CreateUnbounded<(Dictionary<string, string>,
            string)>();
        readonly WebApplication app;

        Receiver(int failures)
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls($"http://127.0.0.1:{RedisServer.FreePort()}");
            app = builder.Build();
            app.MapPost("/ended", async (HttpContext context) =>
            {
                using var reader = new StreamReader(context.Request.Body);
                calls.Writer.TryWrite((context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header =>
                    header.Value.ToString()), await reader.ReadToEndAsync()));
                context.Response.StatusCode = failures-- > 0 ? 500 : 204;
            });
        }

        public string Address => $"{app.Urls.First()}/ended";

        /// <summary>Settings of an API that may call here.</summary>
        public Dictionary<string, string> Settings => new()
        {
            ["Api:WebhookOrigins"] = app.Urls.First(),
            ["Api:WebhookSecret"] = Secret,
            ["Api:WebhookRetryDelay"] = "00:00:00.010",
            ["Queue:WebhookLease"] = "00:00:01",
        };

        public static async Task<Receiver> StartAsync(int failures)
        {
            var receiver = new Receiver(failures);
            await receiver.app.StartAsync();
            return receiver;
        }

        /// <summary>The next call, which must be signed.</summary>
        public async Task<(string Type, string JobId)> HearAsync()
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            var (headers, body) = await calls.Reader.ReadAsync(limit.Token);
            var signed = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret),
                Encoding.UTF8.GetBytes($"{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{body}"));
            Assert.Equal($"v1,{Convert.ToBase64String(signed)}", headers["webhook-signature"]);
            var told = JsonSerializer.Deserialize(body, ApiJson.Default.WebhookBody)!;
            return (told.Type, told.Data.Id);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
