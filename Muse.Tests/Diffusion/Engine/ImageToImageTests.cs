using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>Runs that start from an image, on a simulated model.</summary>
public class ImageToImageTests
{
    const int Size = 128;

    static SimulatedModel Free() => new("test", SimulationSpec.Free, TimeProvider.System);

    static async Task<byte[]> Generate(GenerationRequest request, ReadOnlyMemory<byte> state = default)
    {
        await using var engine = await EngineUnderTest.StartAsync(Free());
        engine.Submit(request, state);
        return await engine.ImageOf(request.Id);
    }

    [Fact]
    public async Task Only_the_steps_that_run_are_counted_and_previews_and_checkpoints_with_them()
    {
        await using var engine = await EngineUnderTest.StartAsync(Free(), new EngineOptions { CheckpointEvery = 2 });
        engine.Submit(Requests.Of("a", steps: 10) with { Previews = 1, Input = Inputs.Of(1, Size, 0.4) });
        await engine.EndOf("a");
        Assert.Equal(
            [
                "Joined 0/4", "Stepped 1/4", "Stepped 2/4", "Previewed 2/4", "Checkpointed 2", "Stepped 3/4", "Stepped 4/4",
                "Completed 4",
            ],
            engine.EventsOf("a").Select(e => e switch
            {
                EngineEvent.Joined j => $"Joined {j.Step}/{j.Steps}",
                EngineEvent.Stepped s => $"Stepped {s.Step}/{s.Steps}",
                EngineEvent.Previewed p => $"Previewed {p.Step}/{p.Steps}",
                EngineEvent.Checkpointed c => $"Checkpointed {c.Step}",
                EngineEvent.Completed c => $"Completed {c.Steps}",
                _ => e.GetType().Name,
            }));
    }

    [Theory]
    [InlineData("euler", 4)]
    [InlineData("dpmpp_2m", 4)]
    // A step has two evaluations, but the last.
    [InlineData("heun", 7)]
    // Its first step has two.
    [InlineData("pndm", 5)]
    public async Task A_run_of_less_strength_evaluates_the_denoiser_less_often(string sampler, int evaluations)
    {
        var model = new FaultyModel();
        await using var engine = await EngineUnderTest.StartAsync(model);
        var timesteps = 0;
        model.BeforeRun = (_, _) => timesteps++;
        engine.Submit(Requests.Of("a", steps: 10, sampler: sampler) with { Input = Inputs.Of(1, Size, 0.4) });
        var steps = Assert.IsType<EngineEvent.Completed>(await engine.EndOf("a")).Steps;
        Assert.Equal((evaluations, 4), (timesteps, steps));
        Assert.Equal([1, 2, 3, 4], engine.EventsOf("a").OfType<EngineEvent.Stepped>().Select(e => e.Step));
    }

    [Fact]
    public async Task Image_mask_strength_and_seed_each_make_another_image()
    {
        var edit = Requests.Of("a", seed: 1) with { Input = Inputs.Of(1, Size, 0.5, Inputs.Square(Size, 0, 64)) };
        var images = new List<byte[]>();
        foreach (var request in new[]
            {
                edit, edit with { Input = null }, edit with { Seed = 2 }, edit with { Input = edit.Input with { Strength = 0.75 } },
                edit with { Input = edit.Input with { Mask = null } },
                edit with { Input = edit.Input with { Image = Inputs.Image(2, Size) } },
            })
        {
            images.Add(await Generate(request));
        }

        Assert.Equal(images[0], await Generate(edit));
        Assert.Equal(images.Count, images.Select(Convert.ToBase64String).Distinct().Count());
    }

    [Theory]
    [InlineData("euler")]
    [InlineData("heun")]
    [InlineData("unipc")]
    [InlineData("pndm")]
    [InlineData("dpmpp_2m_sde")]
    public async Task A_run_is_the_same_from_each_of_its_checkpoints(string sampler)
    {
        var request = Requests.Of("a", steps: 10, sampler: sampler) with
        {
            Input = Inputs.Of(1, Size, 0.6, Inputs.Square(Size, 0, 64)),
        };
        await using var engine = await EngineUnderTest.StartAsync(Free(), new EngineOptions { CheckpointEvery = 1 });
        engine.Submit(request);
        var whole = await engine.ImageOf("a");
        var states = engine.EventsOf("a").OfType<EngineEvent.Checkpointed>().ToList();
        Assert.Equal([1, 2, 3, 4, 5], states.Select(e => e.Step));
        foreach (var state in states)
        {
            await using var second = await EngineUnderTest.StartAsync(Free());
            second.Submit(request, state.State);
            Assert.Equal(whole, await second.ImageOf("a"));
            Assert.Equal(state.Step, second.EventsOf("a").OfType<EngineEvent.Joined>().Single().Step);
        }
    }

    [Fact]
    public async Task A_checkpoint_of_another_image_mask_or_strength_is_not_used()
    {
        var request = Requests.Of("a", steps: 10) with { Input = Inputs.Of(1, Size, 0.6, Inputs.Square(Size, 0, 64)) };
        await using var first = await EngineUnderTest.StartAsync(Free(), new EngineOptions { CheckpointEvery = 2 });
        first.Submit(request);
        var state = (await first.Until<EngineEvent.Checkpointed>(e => e.Step == 2)).State;
        var others = new[]
        {
            request.Input, request.Input with { Strength = 0.7 }, request.Input with { Mask = null },
            request.Input with { Image = Inputs.Image(2, Size) }, null,
        };
        var joined = new List<int>();
        foreach (var other in others)
        {
            await using var second = await EngineUnderTest.StartAsync(Free());
            second.Submit(request with { Input = other }, state);
            await second.ImageOf("a");
            joined.Add(second.EventsOf("a").OfType<EngineEvent.Joined>().Single().Step);
        }
        Assert.Equal([2, 0, 0, 0, 0], joined);
    }

    [Fact]
    public void A_state_that_stands_before_the_run_s_start_is_refused()
    {
        using var model = Free();
        var plan = model.CreateSampler(null).Plan(10, strength: 0.4);
        var identity = SlotState.IdentityOf(model.Traits, "euler", Requests.Of("a"));
        foreach (var (evaluation, refused) in new[] { (5, true), (6, true), (7, false), (9, false), (10, true) })
        {
            var state = SlotState.Save(identity, 1, evaluation, [1, 2], []);
            var problem = SlotState.Restore(state, identity, plan, new float[2], [], out var at);
            Assert.Equal((refused ? "its step is not one of this request" : null, refused ? 6 : evaluation), (problem, at));
        }
    }

    [Fact]
    public async Task A_preview_shows_the_input_where_the_mask_keeps_it()
    {
        await using var engine = await EngineUnderTest.StartAsync(Free());
        var input = Inputs.Of(1, Size, 1, Inputs.Square(Size, 0, 64));
        engine.Submit(Requests.Of("a", steps: 10) with { Previews = 1, Input = input });
        await engine.EndOf("a");
        var preview = engine.EventsOf("a").OfType<EngineEvent.Previewed>().Single().Preview;
        using var model = Free();
        var clean = model.Preview(model.GetLatentShape(Size, Size), model.EncodeImage(model.GetLatentShape(Size, Size), input.Image, [],
            new SeededNoise(0)));
        var kept = Enumerable.Range(0, preview.Width * preview.Height).Where(i => i % preview.Width >= 1 || i / preview.Width >= 1)
            .ToList();
        Assert.NotEmpty(kept);
        Assert.All(kept, i => Assert.Equal(clean.Pixels[3 * i], preview.Pixels[3 * i]));
        Assert.NotEqual(clean.Pixels[0], preview.Pixels[0]);
    }

    [Fact]
    public async Task An_edit_runs_in_one_step_with_text_to_image()
    {
        var model = new FaultyModel();
        var rows = new List<int>();
        await using var engine = await EngineUnderTest.StartAsync(model);
        model.BeforeRun = (_, count) =>
        {
            rows.Add(count);
            Thread.Sleep(1);
        };
        engine.Submit(Requests.Of("text", steps: 1000, guidance: 1));
        engine.Submit(Requests.Of("edit", steps: 5, guidance: 1) with { Input = Inputs.Of(1, Size, 0.6) });
        await engine.ImageOf("edit");
        engine.Engine.Cancel("text");
        await engine.EndOf("text");
        Assert.Equal(3, rows.Count(count => count == 2));
        Assert.All(rows, count => Assert.InRange(count, 1, 2));
    }

    [Fact]
    public async Task An_image_that_can_t_be_encoded_fails_alone()
    {
        var model = new PaddedModel();
        await using var engine = await EngineUnderTest.StartAsync(model);
        engine.Submit(Requests.Of("edit") with { Input = Inputs.Of(1, Size, 0.6) });
        engine.Submit(Requests.Of("text"));
        Assert.Equal("The model 'test' has no image encoder.", Assert.IsType<EngineEvent.Failed>(await engine.EndOf("edit")).Message);
        await engine.ImageOf("text");
    }
}
