using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Muse.Api;
using Muse.Tests.Infrastructure;
using StandardWebhooks;

namespace Muse.Tests.Api;

public sealed class WebhookTests
{
    const string Secret = "whsec_bXVzZS13ZWJob29rLXNlY3JldC1vZi10aGUtdGVzdHM=",
        OldSecret = "whsec_dGhlLXNlY3JldC1iZWZvcmUtaXQtMDEyMzQ1Njc4OWFi";

    [SkippableFact]
    public async Task The_end_of_a_job_is_announced_signed_and_again_after_a_failure()
    {
        await using var receiver = await Receiver.StartAsync(failures: 2);
        await using var server = await ApiServer.StartAsync(settings: receiver.Settings());

        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = receiver.Address });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;

        for (var i = 0; i < 3; i++)
            Assert.Equal(("generation.succeeded", job.Id), await receiver.HearAsync());
    }

    [SkippableFact]
    public async Task Each_retry_of_a_failed_delivery_has_the_same_id_and_a_new_signature()
    {
        await using var receiver = await Receiver.StartAsync(failures: 11);
        await using var server = await ApiServer.StartAsync(settings: receiver.Settings("00:00:00.001"));
        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = receiver.Address });
        for (var i = 0; i < 12; i++)
            await receiver.HearAsync();
        Assert.Single(receiver.MessageIds.Distinct());
        await ImagesTests.Until(() => FailedAsync(server).Result.Count == 0);
    }

    [SkippableFact]
    public async Task What_was_given_up_is_visible_to_an_operator_and_can_be_sent_again_after_the_job_has_expired()
    {
        await using var receiver = await Receiver.StartAsync(failures: int.MaxValue);
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string>(receiver.Settings("00:00:00.001"))
        {
            ["Api:WebhookRetryTime"] = "00:00:00.001",
        });
        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = receiver.Address });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        await ImagesTests.Until(() => FailedAsync(server).Result is [{ State: "given_up" }]);
        var failed = Assert.Single(await FailedAsync(server));
        Assert.Equal(("127.0.0.1", "it responded with 500"), (failed.Host, failed.Error));
        Assert.DoesNotContain(job.Id, failed.Id);
        var redis = server.Services.GetRequiredService<StackExchange.Redis.IConnectionMultiplexer>();
        foreach (var key in redis.GetServers()[0].Keys(pattern: $"*job:{job.Id}*"))
        {
            await redis.GetDatabase().KeyDeleteAsync(key); // It has expired.

            receiver.Recover();
        }
        using var resent = await server.Client.PostAsync($"/v1/ops/webhooks/{failed.Id}/resend", null);
        Assert.Equal(HttpStatusCode.NoContent, resent.StatusCode);
        await ImagesTests.Until(() => FailedAsync(server).Result.Count == 0);
        using var unknown = await server.Client.PostAsync("/v1/ops/webhooks/msg_unknown/resend", null);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [SkippableFact]
    public async Task A_requeued_job_sends_its_webhook_again_as_a_new_message()
    {
        await using var receiver = await Receiver.StartAsync(failures: 0);
        await using var server = await ApiServer.StartAsync(settings: receiver.Settings(), withoutWorker: true);
        using var made = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = receiver.Address });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        await MakeDeadLetterAsync(server, job.Id);
        Assert.Equal(("generation.failed", job.Id), await receiver.HearAsync());

        await using var worker = await FlatImageWorker.StartAsync(server.Redis, new());
        var letters = (await server.Client.GetFromJsonAsync("/v1/ops/dead-letters", ApiJson.Default.OperationsDeadLetters))!;
        using var requeued = await server.Client.PostAsync($"/v1/ops/dead-letters/{Assert.Single(letters.Data).Id}/requeue", null);
        Assert.Equal(HttpStatusCode.NoContent, requeued.StatusCode);
        Assert.Equal(("generation.succeeded", job.Id), await receiver.HearAsync());
        Assert.Equal(2, receiver.MessageIds.Distinct().Count());
    }

    [Fact]
    public void A_webhook_is_tried_for_a_day_and_at_least_every_ten_minutes()
    {
        var schedule = new WebhookSchedule(Microsoft.Extensions.Options.Options.Create(new ApiOptions()));
        var (began, now) = (DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch);
        var delivery = new Muse.Queue.WebhookDelivery("job", "msg", new("https://hooks.example"), "{}", 0, began, "", false);
        while (schedule.Next(delivery = delivery with { Tries = delivery.Tries + 1 }, now) is { } delay)
        {
            Assert.InRange(delay, TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(10));
            now += delay;
        }

        Assert.InRange(now - began, TimeSpan.FromDays(1), TimeSpan.FromDays(1.1));
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task If_the_process_that_accepted_a_job_ends_another_announces_its_end(bool crashes)
    {
        await using var receiver = await Receiver.StartAsync(failures: 0);
        await using var other = await ApiServer.StartAsync(settings: receiver.Settings());
        var port = RedisServer.FreePort();
        await using var accepting = new ProgramProcess("Muse.Api", other.Redis, [
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"),
            .. receiver.Settings().Select(setting => (setting.Key.Replace(":", "__"), setting.Value)),
        ]);
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        await ImagesTests.Until(() => accepting.Output.Contains("Now listening on"));
        using var made = await client.PostAsJsonAsync("/v1/generations", new { prompt = "hold a fox", webhook = receiver.Address });
        var job = (await made.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;

        if (crashes)
            accepting.Kill();
        else
            accepting.Terminate();
        await accepting.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(3)).Token);
        other.Worker!.Release();
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
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        { ["Api:WebhookOrigins"] = "hooks.example", ["Api:WebhookSecret"] = Secret }, withoutWorker: true);
        using var refused = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", webhook = address });
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal("webhook", (await refused.Content.ReadFromJsonAsync(ApiJson.Default.ProblemBody))!.Field);
        using var allowed = await server.Client.PostAsJsonAsync("/v1/generations",
            new { prompt = "a fox", webhook = "https://hooks.example/x" });
        Assert.Equal(HttpStatusCode.Accepted, allowed.StatusCode);
    }

    static async Task<IReadOnlyList<FailedWebhook>> FailedAsync(ApiServer server) =>
        (await server.Client.GetFromJsonAsync("/v1/ops/webhooks", ApiJson.Default.FailedWebhookList))!.Data;

    /// <summary>Has the job's image given up, as after workers that crashed on it.</summary>
    static async Task MakeDeadLetterAsync(ApiServer server, string jobId)
    {
        var queue = server.Services.GetRequiredService<Muse.Queue.WorkQueue>();
        var item = Assert.Single(await queue.ReadAsync(1, default));
        Assert.Equal(jobId, item.Job.Id);
        await queue.FailAsync(item, new(Muse.Queue.JobErrorCodes.Poisoned, "It crashed its workers."), default);
        var redis = server.Services.GetRequiredService<StackExchange.Redis.IConnectionMultiplexer>().GetDatabase();
        await redis.StreamAddAsync("muse:{scenes}:dead",
            [new("job", jobId), new("index", 0), new("lane", "interactive"), new("entry", item.EntryId), new("reason", "test")]);
    }

    /// <summary>A client's server that receives webhooks, and refuses the first few.</summary>
    sealed class Receiver : IAsyncDisposable
    {
        readonly Channel<(Dictionary<string, string> Headers, string Body)> calls = Channel.CreateUnbounded<(Dictionary<string, string>,
            string)>();
        readonly WebApplication app;

        int failures;

        Receiver(int failures)
        {
            this.failures = failures;
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls($"http://127.0.0.1:{RedisServer.FreePort()}");
            app = builder.Build();
            app.MapPost("/ended", async (HttpContext context) =>
            {
                using var reader = new StreamReader(context.Request.Body);
                calls.Writer.TryWrite((context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header =>
                    header.Value.ToString()), await reader.ReadToEndAsync()));
                context.Response.StatusCode = this.failures-- > 0 ? 500 : 204;
            });
        }

        public string Address => $"{app.Urls.First()}/ended";

        /// <summary>The ids of the messages that came.</summary>
        public System.Collections.Concurrent.ConcurrentQueue<string> MessageIds { get; } = new();

        /// <summary>Accepts from now on.</summary>
        public void Recover() => failures = 0;

        /// <summary>Settings of an API that may call here.</summary>
        public Dictionary<string, string> Settings(string retryDelay = "00:00:00.010") => new()
        {
            ["Api:WebhookOrigins"] = app.Urls.First(),
            ["Api:WebhookSecret"] = $"{Secret},{OldSecret}",
            ["Api:WebhookRetryDelay"] = retryDelay,
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
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
            var (headers, body) = await calls.Reader.ReadAsync(limit.Token);
            // The library of Standard Webhooks refuses a wrong signature and an old timestamp. Each of the two secrets is verified.
            // It reads only the first signature (1.1.2), so each is given to it alone.
            var signatures = headers["webhook-signature"].Split(' ');
            Assert.Equal(2, signatures.Length);
            foreach (var (secret, signature) in new[] { Secret, OldSecret }.Zip(signatures))
            {
                var verified = new HeaderDictionary();
                foreach (var (name, value) in headers.Where(header => header.Key.StartsWith("webhook-", StringComparison.Ordinal)))
                    verified[name] = value;
                verified["webhook-signature"] = signature;
                new StandardWebhook(secret).Verify(body, verified);
            }

            MessageIds.Enqueue(headers["webhook-id"]);
            var told = JsonSerializer.Deserialize(body, ApiJson.Default.WebhookBody)!;
            return (told.Type, told.Data.Id);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
