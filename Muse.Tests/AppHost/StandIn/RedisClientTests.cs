using System.Collections.Concurrent;
using System.Diagnostics;
using Aspire.StackExchange.Redis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Muse.Tests.Infrastructure;
using StackExchange.Redis;

namespace Muse.Tests.AppHost.StandIn;

public sealed class RedisClientTests
{
    [SkippableFact]
    public async Task A_command_inside_a_recorded_span_becomes_a_span_of_its_own()
    {
        await using var redis = await RedisServer.StartAsync();
        using var host = Build(redis);
        using var mine = new ActivitySource("Muse.Tests.Redis");
        var spans = new ConcurrentQueue<Activity>();
        using var listener = Listen(spans);
        var database = host.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();

        using (var request = mine.StartActivity("request")!)
            await database.StringSetAsync("key", "value");
        host.Services.GetRequiredService<CommandTracing>().TurnOver();

        var command = Assert.Single(spans, span => span.Source.Name == CommandTracing.SourceName);
        var parent = Assert.Single(spans, span => span.DisplayName == "request");
        Assert.Equal((parent.TraceId, parent.SpanId), (command.TraceId, command.ParentSpanId));
        Assert.Equal(("redis", "SET"), (command.GetTagItem("db.system"), command.GetTagItem("db.operation")));
        Assert.InRange(command.StartTimeUtc, parent.StartTimeUtc.AddMilliseconds(-1), parent.StartTimeUtc + parent.Duration);
        Assert.True(command.Duration > TimeSpan.Zero);
    }

    [SkippableFact]
    public async Task Outside_a_recorded_span_nothing_is_kept()
    {
        await using var redis = await RedisServer.StartAsync();
        using var host = Build(redis);
        using var listener = Listen(new());
        var tracing = host.Services.GetRequiredService<CommandTracing>();
        Assert.Null(tracing.SessionOfTheMoment());
        using var unrecorded = new Activity("not sampled").Start();
        Assert.Null(tracing.SessionOfTheMoment());
    }

    [SkippableFact]
    public async Task The_health_check_has_Aspires_name_and_follows_Redis()
    {
        await using var redis = await RedisServer.StartAsync();
        using var host = Build(redis);
        var health = host.Services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync()).Entries["StackExchange.Redis"].Status);
        await redis.KillAsync();
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync()).Entries["StackExchange.Redis"].Status);
    }

    [Fact]
    public void A_missing_connection_string_is_named()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.AddRedisClient("redis");
        using var host = builder.Build();
        Assert.Contains("ConnectionStrings__redis", Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredService<IConnectionMultiplexer>()).Message);
    }

    static IHost Build(RedisServer redis)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.Configuration["ConnectionStrings:redis"] = redis.ConnectionString;
        builder.Services.AddLogging();
        builder.AddRedisClient("redis", configureOptions: options => options.BacklogPolicy = BacklogPolicy.FailFast);
        return builder.Build();
    }

    static ActivityListener Listen(ConcurrentQueue<Activity> spans)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "Muse.Tests.Redis" or CommandTracing.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
