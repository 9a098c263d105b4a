using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

public class DiffusionEngineTests
{
    static SimulatedModel Free() => new("test", SimulationSpec.Free, TimeProvider.System);

    [Fact]
    public async Task A_request_joins_steps_and_completes_in_that_order()
    {
        await using var engine = await EngineUnderTest.StartAsync(Free(), new EngineOptions { CheckpointEvery = 2 });
        engine.Submit(Requests.Of("a", steps: 4) with { Previews = 1 });
        await engine.EndOf("a");

        Assert.Equal(
            ["Joined 0/4", "Stepped 1", "Stepped 2", "Previewed 2", "Checkpointed 2", "Stepped 3", "Stepped 4", "Completed"],
            engine.EventsOf("a").Select(e => e switch
            {
                EngineEvent.Joined j => $"Joined {j.Step}/{j.Steps}",
                EngineEvent.Stepped s => $"Stepped {s.Step}",
                EngineEvent.Previewed p => $"Previewed {p.Step}",
                EngineEvent.Checkpointed c => $"Checkpointed {c.Step}",
                _ => e.GetType().Name,
            }));
    }

    [Theory]
    [InlineData("", 7.5f, 500, "1 1 1 1 2 2 2 2")]
    [InlineData("", 7.5f, 1000, "2 2 2 2 2 2 2 2")]
    [InlineData("a moon", 7.5f, 500, "2 2 2 2 2 2 2 2")]
    [InlineData("", 1f, 500, "1 1 1 1 1 1 1 1")]
    public async Task A_request_without_a_negative_prompt_is_guided_only_up_to_the_models_highest_timestep_for_it(string negative,
        float guidance, float maxTimestep, string rows)
    {
        var seen = new List<int>();
        var model = new FaultyModel { GuidanceMaxTimestep = maxTimestep };
        await using var engine = await EngineUnderTest.StartAsync(model);
        model.BeforeRun = (_, count) => seen.Add(count);
        engine.Submit(Requests.Of("a", steps: 8, guidance: guidance) with { NegativePrompt = negative });
        await engine.EndOf("a");
        Assert.Equal(rows, string.Join(' ', seen));
    }

    [Fact]
    public async Task It_takes_no_more_requests_than_its_batch_holds_and_more_when_one_ends()
    {
        await using var engine =
            await EngineUnderTest.StartAsync(new SimulatedModel("test", new SimulationSpec { Base = TimeSpan.FromSeconds(1) },
            TimeProvider.System), new EngineOptions { MaxBatchSize = 2 });
        engine.Submit(Requests.Of("a", steps: 100));
        engine.Submit(Requests.Of("b", steps: 100));
        Assert.Equal(0, engine.Engine.FreeSlots);
        Assert.False(engine.Engine.TrySubmit(Requests.Of("c")));

        engine.Engine.Cancel("a");
        Assert.IsType<EngineEvent.Cancelled>(await engine.EndOf("a"));
        engine.Submit(Requests.Of("c", steps: 100));
    }

    [Fact]
    public async Task A_request_in_the_engine_has_an_id_of_its_own()
    {
        await using var engine =
            await EngineUnderTest.StartAsync(new SimulatedModel("test", new SimulationSpec { Base = TimeSpan.FromSeconds(1) },
            TimeProvider.System));
        engine.Submit(Requests.Of("a", steps: 100));
        Assert.Throws<ArgumentException>(() => engine.Engine.TrySubmit(Requests.Of("a")));
    }

    [Fact]
    public async Task Draining_hands_back_started_requests_and_another_engine_generates_the_same_image()
    {
        byte[] whole;
        await using (var engine = await EngineUnderTest.StartAsync(Free()))
        {
            engine.Submit(Requests.Of("a", steps: 40, sampler: "dpmpp_2m_sde"));
            whole = await engine.ImageOf("a");
        }

        EngineEvent.HandedBack back;
        await using (var first =
            await EngineUnderTest.StartAsync(new SimulatedModel("test", new SimulationSpec { Base = TimeSpan.FromMilliseconds(200) },
            TimeProvider.System)))
        {
            first.Submit(Requests.Of("a", steps: 40, sampler: "dpmpp_2m_sde"));
            await first.Until<EngineEvent.Stepped>(e => e.Step >= 7);
            await first.DrainAsync();
            back = Assert.IsType<EngineEvent.HandedBack>(await first.EndOf("a"));
            Assert.Equal(back.Step, first.EventsOf("a").OfType<EngineEvent.Stepped>().Last().Step);
        }

        await using var second = await EngineUnderTest.StartAsync(Free());
        second.Submit(Requests.Of("a", steps: 40, sampler: "dpmpp_2m_sde"), back.State);
        Assert.Equal(whole, await second.ImageOf("a"));
        Assert.Equal(back.Step, second.EventsOf("a").OfType<EngineEvent.Joined>().Single().Step);
        Assert.Equal(40 - back.Step, second.EventsOf("a").OfType<EngineEvent.Stepped>().Count());
    }

    [Fact]
    public async Task A_checkpoint_of_another_request_is_not_used()
    {
        await using var engine = await EngineUnderTest.StartAsync(Free(), new EngineOptions { CheckpointEvery = 2 });
        engine.Submit(Requests.Of("a", prompt: "one"));
        var state = (await engine.Until<EngineEvent.Checkpointed>(e => e.RequestId == "a")).State;
        engine.Submit(Requests.Of("b", prompt: "two"), state);
        engine.Submit(Requests.Of("c", prompt: "two", seed: Requests.Of("b").Seed));

        Assert.Equal(await engine.ImageOf("c"), await engine.ImageOf("b"));
        Assert.Equal(0, engine.EventsOf("b").OfType<EngineEvent.Joined>().Single().Step);
    }

    [Fact]
    public async Task Unencoded_requests_are_handed_back_too_and_the_events_end()
    {
        var engine =
            await EngineUnderTest.StartAsync(new SimulatedModel("test", new SimulationSpec { Base = TimeSpan.FromSeconds(2) },
            TimeProvider.System), new EngineOptions { MaxBatchSize = 8 });
        for (var i = 0; i < 8; i++)
            engine.Submit(Requests.Of($"r{i}", steps: 100));
        await engine.DrainAsync();
        for (var i = 0; i < 8; i++)
            Assert.IsType<EngineEvent.HandedBack>(await engine.EndOf($"r{i}"));
        Assert.False(engine.Engine.TrySubmit(Requests.Of("late")));
        Assert.Equal(0, engine.Engine.FreeSlots);
        await engine.DisposeAsync();
    }
}
