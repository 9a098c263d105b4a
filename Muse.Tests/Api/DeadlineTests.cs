using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Muse.Api;
using Muse.Queue;
using StackExchange.Redis;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Api;

public sealed class DeadlineTests
{
    [SkippableTheory]
    [InlineData(-5)]
    [InlineData(5)]
    public async Task A_deadline_is_measured_by_the_clock_of_Redis_however_wrong_that_of_the_API_is(int secondsAhead)
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true, time: new WrongClock(TimeSpan.FromSeconds(secondsAhead)));
        var redis = server.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();
        using var response = await server.Client.PostAsJsonAsync("/v1/generations", new { prompt = "a fox", deadline_seconds = 1 });
        var job = (await response.Content.ReadFromJsonAsync(ApiJson.Default.Generation))!;
        var stored = await redis.HashGetAsync($"muse:{{scenes}}:job:{job.Id}", ["at", "deadline"]);
        Assert.Equal(1000, (long)stored[1] - (long)stored[0]);

        await EventuallyAsync(async () =>
        {
            var clock = (RedisResult[])(await redis.ExecuteAsync("TIME"))!;
            return (long)clock[0] * 1000;
        }, now => now > (long)stored[1]);
        await using var worker = await FlatImageWorker.StartAsync(server.Redis, new());
        var ended = await server.Services.GetRequiredService<JobQueue>().WaitAsync(job.Id, Limit());
        Assert.Equal(JobErrorCodes.DeadlineExceeded, ended!.Images[0].Error?.Code);
    }

    sealed class WrongClock(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
    }
}
