using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Muse.Api;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using StackExchange.Redis;

namespace Muse.Tests.Api;

/// <summary>Requests that are sent again.</summary>
public sealed class IdempotencyTests
{
    [SkippableFact]
    public async Task Each_key_gets_one_image_over_lost_connections_two_processes_and_a_restart()
    {
        const int Keys = 500;
        await using var one = await ApiServer.StartAsync(new() { Slots = 32 }, new Dictionary<string, string>
        { ["Queue:MaxWait"] = "01:00:00" });
        var address = new Uri($"http://127.0.0.1:{RedisServer.FreePort()}");
        var other = Start();
        await ImagesTests.Until(() => other.Output.Contains("Now listening on"));
        var random = new Random(20261128);
        var requests = Enumerable.Range(0, Keys).Select(key => (Key: key, Random: new Random(random.Next()))).ToList();
        var images = new ConcurrentDictionary<int, string>();
        var lost = 0;
        var restarted = 0;
        await Parallel.ForEachAsync(requests, new ParallelOptions { MaxDegreeOfParallelism = 24 }, async (request, _) =>
        {
            // In the middle of the work one process ends and is started again.
            if (request.Key == Keys / 2 && Interlocked.Exchange(ref restarted, 1) == 0)
            {
                other.Terminate();
                await other.WaitForExitAsync(CancellationToken.None);
                other = Start();
            }

            while (!images.ContainsKey(request.Key))
            {
                using var hangUp = new CancellationTokenSource();
                if (request.Random.Next(3) > 0)
                    hangUp.CancelAfter(request.Random.Next(40));
                try
                {
                    using var message = new HttpRequestMessage(HttpMethod.Post,
                        new Uri(request.Random.Next(2) == 0 ? one.Address : address, "/v1/images/generations"))
                    {
                        Content = JsonContent.Create(new { prompt = "a fox", seed = request.Key }),
                        Headers = { { "Idempotency-Key", $"key {request.Key}" } },
                    };
                    using var response = await one.Client.SendAsync(message, hangUp.Token);
                    if (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                        continue;
                    Assert.Equal((HttpStatusCode.OK, ""),
                        (response.StatusCode, response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync(default)));
                    images[request.Key] = (await response.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody,
                        hangUp.Token))!.Id;
                }
                catch (Exception exception) when (exception is OperationCanceledException or HttpRequestException or IOException)
                {
                    Interlocked.Increment(ref lost);
                }
            }
        });
        await other.DisposeAsync();

        Assert.True(lost > Keys / 4, $"Only {lost} connections were lost.");
        Assert.Equal(Keys, images.Values.Distinct().Count());
        Assert.Equal((Keys, 0), (one.Worker!.Completed, one.Worker.Cancelled));
        Assert.Equal(Keys, one.Worker.Seen.Select(job => job.Id).Distinct().Count());

        ProgramProcess Start() => new("Muse.Api", one.Redis, ("ASPNETCORE_URLS", address.ToString()), ("MUSE_RATE_LIMITS", "false"),
            ("Queue__MaxWait", "01:00:00"), ("ASPNETCORE_SHUTDOWNTIMEOUTSECONDS", "1"));
    }

    [SkippableTheory]
    [InlineData(null)]
    [InlineData("x-stainless-retry-count")]
    public async Task A_client_that_disconnects_while_it_submits_leaves_no_work_behind(string? header)
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true);
        var fleet = server.Services.GetRequiredService<Fleet>();
        using (var warm = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox" }))
        using (await server.Client.DeleteAsync(warm.Headers.Location))
        { } // Redis knows the scripts from now on.
        var redis = server.Services.GetRequiredService<IConnectionMultiplexer>().GetServers()[0];
        server.Redis.Pause();
        using var hangUp = new CancellationTokenSource();
        using var message = new HttpRequestMessage(HttpMethod.Post,
            "/v1/images/generations")
        { Content = JsonContent.Create(new { prompt = "a fox" }) };
        if (header is not null)
            message.Headers.Add(header, "0");
        var request = server.Client.SendAsync(message, hangUp.Token);
        await Task.Yield();
        await ImagesTests.Until(() => redis.Multiplexer.GetCounters().TotalOutstanding > 0);
        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        server.Redis.Resume();

        // The submission may reach Redis only now.
        await Queue.Samples.EventuallyAsync(async () =>
        {
            using var list = await server.Client.GetAsync("/v1/generations");
            var jobs = (await list.Content.ReadFromJsonAsync(ApiJson.Default.GenerationList))!;
            return string.Join(' ', jobs.Data.Select(job => job.State).Distinct());
        }, states => states == "cancelled");
        await Queue.Samples.EventuallyAsync(async () => (await fleet.MeasureAsync(default)).Waiting, waiting => waiting == 0);
    }

    [SkippableFact]
    public async Task A_lost_connection_does_not_cancel_the_job_of_an_idempotency_key()
    {
        await using var server = await ApiServer.StartAsync();
        using var hangUp = new CancellationTokenSource();
        var first = AskAsync(hangUp.Token);
        await ImagesTests.Until(() => server.Worker!.Seen.Count == 1);
        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await ImagesTests.Until(() => server.Services.GetRequiredService<WaitingConnections>().Count == 0);
        server.Worker!.Release();

        using var again = await AskAsync(default);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal((1, 0), (server.Worker.Completed, server.Worker.Cancelled));

        async Task<HttpResponseMessage> AskAsync(CancellationToken cancellation)
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/images/generations")
            {
                Content = JsonContent.Create(new { prompt = "hold this" }),
                Headers = { { "Idempotency-Key", "k" } },
            };
            return await server.Client.SendAsync(message, cancellation);
        }
    }

    [SkippableFact]
    public async Task A_client_that_counts_its_retries_and_does_not_come_back_has_its_job_cancelled()
    {
        await using var server = await ApiServer.StartAsync(settings: new Dictionary<string, string>
        { ["Api:RetryGrace"] = "00:00:00.050" });
        using var hangUp = new CancellationTokenSource();
        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/images/generations")
        {
            Content = JsonContent.Create(new { prompt = "hold this" }),
            Headers = { { "x-stainless-retry-count", "0" } },
        };
        var request = server.Client.SendAsync(message, hangUp.Token);
        await ImagesTests.Until(() => server.Worker!.Seen.Count == 1);
        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await ImagesTests.Until(() => server.Worker!.Cancelled == 1);
    }
}
