using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;

namespace Muse.Tests.Api;

/// <summary>The API waits for a replica of Redis, and there is none.</summary>
public sealed class ReplicationTests : IAsyncLifetime
{
    ApiServer server = null!;

    public async Task InitializeAsync() => server = await ApiServer.StartAsync(withoutWorker: true, settings: new Dictionary<string, string>
    {
        ["Queue:WaitReplicas"] = "1",
        ["Queue:WaitTimeout"] = "00:00:00.100",
    });

    public async Task DisposeAsync() => await server.DisposeAsync();

    [RedisFact]
    public async Task A_job_that_no_replica_has_is_answered_503_and_a_retry_with_its_key_finds_it_when_there_is_one()
    {
        using (var refused = await SubmitAsync("key"))
            await AssertNotReplicatedAsync(refused);
        Assert.Equal(["queued"], await StatesAsync());

        await using var replica = await RedisServer.StartAsync("--replicaof", "127.0.0.1", $"{server.Redis.Port}");
        await replica.WaitUntilReplicatingAsync();
        var status = await Samples.EventuallyAsync(async () =>
        {
            using var again = await SubmitAsync("key");
            return again.StatusCode;
        }, code => code != HttpStatusCode.ServiceUnavailable);
        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal(["queued"], await StatesAsync());
    }

    [RedisFact]
    public async Task Without_a_key_no_retry_can_find_the_job_so_it_is_cancelled()
    {
        using (var refused = await SubmitAsync(key: null))
            await AssertNotReplicatedAsync(refused);
        await Samples.EventuallyAsync(StatesAsync, states => states is ["cancelled"]);
    }

    static async Task AssertNotReplicatedAsync(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        Assert.Contains("not_replicated", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    async Task<HttpResponseMessage> SubmitAsync(string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/generations")
        {
            Content = JsonContent.Create(new { prompt = "a fox" }),
        };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return await server.Client.SendAsync(request);
    }

    async Task<List<string?>> StatesAsync()
    {
        var list = await server.Client.GetFromJsonAsync<JsonElement>("/v1/generations");
        return [.. list.GetProperty("data").EnumerateArray().Select(job => job.GetProperty("state").GetString())];
    }
}
