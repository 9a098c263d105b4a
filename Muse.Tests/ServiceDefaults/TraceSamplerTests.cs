using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using Muse.ServiceDefaults;
using OpenTelemetry.Trace;

namespace Muse.Tests.ServiceDefaults;

public sealed class TraceSamplerTests
{
    readonly FakeTimeProvider time = new();

    [Fact]
    public void A_call_to_Redis_outside_a_request_is_polling_and_is_dropped() =>
        Assert.False(Records(new TraceSampler(10, time), ActivityKind.Client));

    [Fact]
    public void A_call_to_Redis_inside_a_recorded_request_is_recorded() =>
        Assert.True(Records(new TraceSampler(10, time), ActivityKind.Client, parent: Context(recorded: true)));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_span_follows_its_parent_so_that_a_trace_is_whole_or_absent(bool recorded) =>
        Assert.Equal(recorded, Records(new TraceSampler(recorded ? 0 : 10, time), ActivityKind.Consumer, parent: Context(recorded)));

    [Fact]
    public void A_batch_is_recorded_when_one_of_its_requests_is()
    {
        var sampler = new TraceSampler(0, time);
        Assert.True(Records(sampler, ActivityKind.Internal, links: [Context(recorded: false), Context(recorded: true)]));
        Assert.False(Records(sampler, ActivityKind.Internal, links: [Context(recorded: false)]));
    }

    [Fact]
    public void Requests_are_recorded_up_to_the_limit_a_second()
    {
        var sampler = new TraceSampler(10, time);
        Assert.Equal(10, RecordedOf(sampler, 100));
        Assert.Equal(0, RecordedOf(sampler, 100));
        time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal(5, RecordedOf(sampler, 100));
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(10, RecordedOf(sampler, 100));
    }

    static int RecordedOf(TraceSampler sampler, int requests) =>
        Enumerable.Range(0, requests).Count(_ => Records(sampler, ActivityKind.Server));

    static bool Records(TraceSampler sampler, ActivityKind kind, ActivityContext parent = default, ActivityContext[]? links = null) =>
        sampler.ShouldSample(new(
            parent, ActivityTraceId.CreateRandom(), "span", kind, [], links?.Select(context => new ActivityLink(context))))
            .Decision == SamplingDecision.RecordAndSample;

    static ActivityContext Context(bool recorded) => new(
        ActivityTraceId.CreateRandom(),
        ActivitySpanId.CreateRandom(),
        recorded ? ActivityTraceFlags.Recorded : ActivityTraceFlags.None,
        isRemote: true);
}
