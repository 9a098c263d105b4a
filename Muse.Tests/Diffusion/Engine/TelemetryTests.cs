using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

public class TelemetryTests
{
    [Fact]
    public async Task Each_composition_of_the_batch_has_a_span_linked_to_its_requests_and_each_request_its_own_stages()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == EngineTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        var (a, b) = (Trace(), Trace());
        await using (var engine =
            await EngineUnderTest.StartAsync(new SimulatedModel("test", new SimulationSpec { Base = TimeSpan.FromMilliseconds(100) },
            TimeProvider.System)))
        {
            engine.Submit(Requests.Of("a", steps: 60) with { TraceContext = a });
            await engine.Until<EngineEvent.Stepped>(e => e.RequestId == "a");
            engine.Submit(Requests.Of("b", steps: 3) with { TraceContext = b });
            await engine.EndOf("a");
        }

        var batches = spans.Where(s => s.OperationName == "batch" && s.Links.Any(l => l.Context.TraceId == a.TraceId)).ToList();
        Assert.Equal([1, 2, 1], batches.Select(s => s.Links.Count()));
        Assert.Contains(batches[1].Links, l => l.Context == b);
        Assert.Equal([2, 4, 2], batches.Select(s => s.GetTagItem("muse.batch.rows")));
        Assert.Equal(60, batches.Sum(s => (int)s.GetTagItem("muse.batch.steps")!));
        foreach (var request in new[] { a, b })
        {
            Assert.Equal(["encode prompt", "denoise", "decode"], spans.Where(s => s.ParentSpanId == request.SpanId)
                .Select(s => s.OperationName));
        }
    }

    [Fact]
    public async Task Encoding_an_image_is_a_span_and_a_measurement_of_its_own()
    {
        var spans = new ConcurrentQueue<string>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == EngineTelemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        var edit = Trace();
        listener.ActivityStopped = span =>
        {
            if (span.ParentSpanId == edit.SpanId)
                spans.Enqueue(span.OperationName);
        };
        ActivitySource.AddActivityListener(listener);
        var measured = 0;
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "muse.image.encode.duration")
                l.EnableMeasurementEvents(instrument);
        };
        meters.SetMeasurementEventCallback<double>((_, _, _, _) => Interlocked.Increment(ref measured));
        meters.Start();
        await using var engine = await EngineUnderTest.StartAsync(new SimulatedModel("test", SimulationSpec.Free, TimeProvider.System));
        engine.Submit(Requests.Of("text"));
        await engine.EndOf("text");
        engine.Submit(Requests.Of("edit") with { TraceContext = edit, Input = Inputs.Of(1, 128, 0.6) });
        await engine.EndOf("edit");
        Assert.Equal(["encode prompt", "encode image", "denoise", "decode"], spans);
        Assert.True(measured >= 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_step_allocates_nothing_but_its_events(bool graph)
    {
        var model = new FaultyModel(graph ? Networks.OnnxModelTests.Open(new OnnxFolders.OnnxFolderBuilder().Write()) : null);
        var allocated = new List<long>();
        await using var engine =
            await EngineUnderTest.StartAsync(model,
            new EngineOptions { CheckpointEvery = 0, Mode = BatchingMode.Static, MaxBatchSize = 12 });
        model.BeforeStep = (_, _) => allocated.Add(GC.GetAllocatedBytesForCurrentThread());
        for (var i = 0; i < 12; i++)
            engine.Submit(Requests.Of($"r{i}", steps: 100, size: 192));
        for (var i = 0; i < 12; i++)
            await engine.EndOf($"r{i}");

        // The first steps fill caches. An event and its place in the channel are less than 200 bytes; a latent alone would be more.
        var steps = allocated.Skip(20).Zip(allocated.Skip(21), (from, to) => to - from).Order().ToList();
        Assert.InRange(steps[steps.Count / 2], 0, 12 * 200 + 500);
    }

    [Fact]
    public async Task Rows_are_counted_where_they_ran_and_padding_apart()
    {
        var (rows, padding) = (0L, 0L);
        var model = new PaddedModel();
        await using var engine = await EngineUnderTest.StartAsync(model, new EngineOptions { MaxBatchSize = 3 });
        using var listener = new MeterListener();
        // Other engines of this process measure too, on their own threads.
        var thread = 0;
        model.BeforeRun = _ => thread = Environment.CurrentManagedThreadId;
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name is "muse.batch.rows" or "muse.batch.padding")
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((instrument, measured, _, _) =>
        {
            if (Environment.CurrentManagedThreadId != thread)
                return;
            if (instrument.Name == "muse.batch.rows")
                rows += measured;
            else
                padding += measured;
        });
        listener.Start();
        model.Calls.Clear();
        var refuse = true;
        model.BeforeRun += needed =>
        {
            // One call does not fit: nothing ran in it.
            model.Fitting = needed == 6 && refuse ? 5 : int.MaxValue;
            refuse &= needed != 6;
        };
        foreach (var (id, steps) in new[] { ("a", 3), ("b", 20), ("c", 20) })
            engine.Submit(Requests.Of(id, steps: steps));
        foreach (var id in new[] { "a", "b", "c" })
            await engine.EndOf(id);
        var ran = model.Calls.Where((call, i) => !(call.Needed == 6 && model.Calls.FindIndex(c => c.Needed == 6) == i)).ToList();
        Assert.Equal(ran.Sum(call => call.Needed), rows);
        Assert.Equal(ran.Sum(call => call.Run - call.Needed), padding);
        Assert.Equal(2 * (3 + 20 + 20), rows);
    }

    static ActivityContext Trace() => new(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
}
