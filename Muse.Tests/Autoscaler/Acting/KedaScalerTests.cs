using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Muse.Autoscaler;
using Muse.Autoscaler.Keda;
using Muse.Queue;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Autoscaler;

public sealed class KedaScalerTests : IAsyncLifetime
{
    readonly FakeTimeProvider time = new(Facts.Now);
    readonly FakeFleet fleet;
    readonly int port = RedisServer.FreePort();
    readonly ScaledObjectRef workers = new() { Name = "workers", Namespace = "muse" };
    WebApplication app = null!;
    GrpcChannel channel = null!;
    ExternalScaler.ExternalScalerClient client = null!;

    public KedaScalerTests() => fleet = new(time);

    public async Task InitializeAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["urls"] = "http://127.0.0.1:0",
            ["Autoscaler:Actor"] = "keda",
            ["Autoscaler:KedaPort"] = $"{port}",
            ["Autoscaler:MinWorkers"] = "0",
            ["Autoscaler:MaxWorkers"] = "9",
            ["Autoscaler:PicturesPerSecond"] = "3.75",
        });
        builder.AddAutoscaler();
        builder.AddKedaEndpoint();
        builder.Services.AddSingleton<TimeProvider>(time).AddSingleton<IFleet>(fleet);
        app = builder.Build();
        app.MapKeda();
        channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
        client = new(channel);
    }

    public async Task DisposeAsync()
    {
        channel.Dispose();
        await app.DisposeAsync();
    }

    [Fact]
    public async Task The_metric_is_the_workers_wanted_against_a_target_of_one()
    {
        fleet.Waiting = 100;
        await StartAndDecideAsync();
        var spec = Assert.Single((await client.GetMetricSpecAsync(workers)).MetricSpecs);
        Assert.Equal(("muse-workers-wanted", 1L, 1.0), (spec.MetricName, spec.TargetSize, spec.TargetSizeFloat));
        var request = new GetMetricsRequest { ScaledObjectRef = workers, MetricName = spec.MetricName };
        var value = Assert.Single((await client.GetMetricsAsync(request)).MetricValues);
        Assert.Equal(("muse-workers-wanted", 4L, 4.0), (value.MetricName, value.MetricValue_, value.MetricValueFloat));
        Assert.True((await client.IsActiveAsync(workers)).Result);
    }

    [Fact]
    public async Task Without_work_and_without_a_minimum_the_metric_is_zero()
    {
        await StartAndDecideAsync();
        Assert.False((await client.IsActiveAsync(workers)).Result);
        Assert.Equal(0, Assert.Single((await client.GetMetricsAsync(new() { ScaledObjectRef = workers })).MetricValues).MetricValueFloat);
    }

    [Fact]
    public async Task An_unknown_number_is_an_error_and_never_zero()
    {
        fleet.Failure = new QueueUnavailableException("away");
        await app.StartAsync();
        await AssertUnavailableAsync();
    }

    [Fact]
    public async Task An_old_number_is_an_error_and_never_zero()
    {
        fleet.Waiting = 100;
        await StartAndDecideAsync();
        Assert.True((await client.IsActiveAsync(workers)).Result);
        fleet.Failure = new QueueUnavailableException("away");
        time.SetUtcNow(fleet.Decisions[^1].Measured.At + TimeSpan.FromSeconds(90));
        Assert.True((await client.IsActiveAsync(workers)).Result);
        time.Advance(TimeSpan.FromSeconds(1));
        await AssertUnavailableAsync();
    }

    [Fact]
    public async Task An_autoscaler_that_does_not_lead_answers_with_the_leaders_decision()
    {
        fleet.Epoch = 0;
        fleet.Decisions.Add(new(7, "because", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now)));
        await app.StartAsync();
        var value = Assert.Single((await client.GetMetricsAsync(new() { ScaledObjectRef = workers })).MetricValues);
        Assert.Equal(7, value.MetricValue_);
        Assert.True((await client.IsActiveAsync(workers)).Result);
        Assert.Single(fleet.Decisions);
    }

    [Fact]
    public async Task The_age_of_a_decision_counts_from_its_measurement_and_not_from_when_it_was_read()
    {
        fleet.Epoch = 0;
        fleet.Decisions.Add(new(7, "because", Facts.Now, "drain", new(0, 0, null, 0, 0, Facts.Now - TimeSpan.FromSeconds(91))));
        await app.StartAsync();
        await AssertUnavailableAsync();
    }

    [Fact]
    public async Task The_stream_reports_at_once_that_the_first_worker_is_needed()
    {
        await StartAndDecideAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        using var call = client.StreamIsActive(workers, cancellationToken: limit.Token);
        Assert.True(await call.ResponseStream.MoveNext(limit.Token));
        Assert.False(call.ResponseStream.Current.Result);

        await fleet.Waited.Task.WaitAsync(limit.Token);
        fleet.Waiting = 1;
        fleet.Change.SetResult();
        await AdvanceUntilAsync(call.ResponseStream.MoveNext(limit.Token), limit.Token);
        Assert.True(call.ResponseStream.Current.Result);
    }

    [Theory]
    [InlineData("s0-muse-workers-wanted")]
    [InlineData("s12-muse-workers-wanted")]
    public async Task The_response_uses_the_name_that_KEDA_gives_the_metric(string name)
    {
        await StartAndDecideAsync();
        var value = Assert.Single((await client.GetMetricsAsync(new() { ScaledObjectRef = workers, MetricName = name })).MetricValues);
        Assert.Equal(name, value.MetricName);
    }

    /// <summary>As in kedacore/keda, pkg/scalers/externalscaler/externalscaler.proto: what goes over the wire.</summary>
    [Fact]
    public void The_contract_is_the_one_that_KEDA_publishes()
    {
        var file = ExternalScalerReflection.Descriptor;
        Assert.Equal("externalscaler", file.Package);
        Assert.Equal(
            [
                "IsActive(ScaledObjectRef) IsActiveResponse",
                "StreamIsActive(ScaledObjectRef) stream IsActiveResponse",
                "GetMetricSpec(ScaledObjectRef) GetMetricSpecResponse",
                "GetMetrics(GetMetricsRequest) GetMetricsResponse",
            ],
            Assert.Single(file.Services).Methods.Select(method =>
                $"{method.Name}({method.InputType.Name}) {(method.IsServerStreaming ? "stream " : "")}{method.OutputType.Name}"));
        Assert.Equal(
            [
                "ScaledObjectRef: String name = 1, String namespace = 2, Message scalerMetadata = 3",
                "IsActiveResponse: Bool result = 1",
                "GetMetricSpecResponse: Message metricSpecs = 1",
                "MetricSpec: String metricName = 1, Int64 targetSize = 2, Double targetSizeFloat = 3",
                "GetMetricsRequest: Message scaledObjectRef = 1, String metricName = 2",
                "GetMetricsResponse: Message metricValues = 1",
                "MetricValue: String metricName = 1, Int64 metricValue = 2, Double metricValueFloat = 3",
            ],
            file.MessageTypes.Select(message => $"{message.Name}: {string.Join(", ", message.Fields.InFieldNumberOrder()
                .Select(field => $"{field.FieldType} {field.Name} = {field.FieldNumber}"))}"));
        MessageDescriptor[] lists = [GetMetricSpecResponse.Descriptor, GetMetricsResponse.Descriptor];
        Assert.All(lists, message => Assert.True(message.Fields[1].IsRepeated));
        Assert.True(ScaledObjectRef.Descriptor.Fields[3].IsMap);
    }

    async Task StartAndDecideAsync()
    {
        await app.StartAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await AdvanceUntilAsync(Decided(), limit.Token);

        async Task Decided()
        {
            while (await fleet.LatestDecisionAsync(limit.Token) is null)
                await Task.Yield();
        }
    }

    /// <summary>Lets the time of the autoscaler pass until something is done.</summary>
    async Task AdvanceUntilAsync(Task done, CancellationToken limit)
    {
        while (!done.IsCompleted)
        {
            limit.ThrowIfCancellationRequested();
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(1, limit);
        }

        await done;
    }

    async Task AssertUnavailableAsync()
    {
        Func<Task>[] calls =
        [
            async () => await client.GetMetricsAsync(new() { ScaledObjectRef = workers }),
            async () => await client.IsActiveAsync(workers),
        ];
        foreach (var call in calls)
            Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(call)).StatusCode);
    }
}
