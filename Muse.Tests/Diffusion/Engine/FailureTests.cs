using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

public class FailureTests
{
    [Fact]
    public async Task A_batch_that_runs_out_of_memory_is_halved_and_the_limit_is_kept()
    {
        var rowsSeen = new List<int>();
        var model = new FaultyModel();
        await using var engine = await EngineUnderTest.StartAsync(model, new EngineOptions { MaxBatchSize = 8 });
        model.BeforeStep = (rows, _) =>
        {
            rowsSeen.Add(rows);
            if (rows > 5)
                throw new DeviceMemoryException("no room");
        };
        for (var i = 0; i < 8; i++)
            engine.Submit(Requests.Of($"r{i}", steps: 30));
        for (var i = 0; i < 8; i++)
            Assert.IsType<EngineEvent.Completed>(await engine.EndOf($"r{i}"));

        var tooMany = rowsSeen.Where(rows => rows > 5).ToList();
        Assert.NotEmpty(tooMany);
        Assert.Equal(tooMany.Distinct(), tooMany);
        Assert.True(tooMany.Count <= 3, $"It tried {string.Join(", ", tooMany)} rows.");
    }

    [Fact]
    public async Task A_request_that_does_not_fit_alone_fails_alone()
    {
        var model = new FaultyModel();
        await using var engine = await EngineUnderTest.StartAsync(model);
        model.BeforeStep = (rows, _) =>
        {
            if (rows > 1)
                throw new DeviceMemoryException("no room");
        };
        engine.Submit(Requests.Of("guided"));
        engine.Submit(Requests.Of("unguided", guidance: 1));
        Assert.IsType<EngineEvent.Completed>(await engine.EndOf("unguided"));
        var failed = Assert.IsType<EngineEvent.Failed>(await engine.EndOf("guided"));
        Assert.Equal("An image of 128x128 needs more memory than the device has.", failed.Message);
    }

    [Fact]
    public async Task A_request_that_breaks_its_step_fails_alone_and_the_others_come_out_the_same()
    {
        byte[] alone;
        await using (var engine = await EngineUnderTest.StartAsync(new FaultyModel()))
        {
            engine.Submit(Requests.Of("good"));
            alone = await engine.ImageOf("good");
        }
        var model = new FaultyModel();
        var bad = model.ConditioningOf("bad").Tensors[0].Values;
        await using var running = await EngineUnderTest.StartAsync(model);
        model.BeforeStep = (_, conditionings) =>
        {
            if (conditionings.Any(c => c.Tensors[0].Values.SequenceEqual(bad)))
                throw new InvalidOperationException("A bad row.");
        };
        running.Submit(Requests.Of("good"));
        running.Submit(Requests.Of("bad", prompt: "bad"));
        Assert.Equal("A bad row.", Assert.IsType<EngineEvent.Failed>(await running.EndOf("bad")).Message);
        Assert.Equal(alone, await running.ImageOf("good"));
    }

    [Fact]
    public async Task A_prompt_that_can_not_be_encoded_fails_its_request_alone()
    {
        var model = new FaultyModel();
        await using var engine = await EngineUnderTest.StartAsync(model);
        model.BeforeEncode = prompt =>
        {
            if (prompt == "bad")
                throw new InvalidOperationException("No such words.");
        };
        engine.Submit(Requests.Of("bad", prompt: "bad"));
        engine.Submit(Requests.Of("good"));
        Assert.Equal("No such words.", Assert.IsType<EngineEvent.Failed>(await engine.EndOf("bad")).Message);
        Assert.IsType<EngineEvent.Completed>(await engine.EndOf("good"));
        Assert.Equal(12, engine.Engine.FreeSlots);
    }

    [Fact]
    public async Task Images_that_can_not_be_decoded_together_are_decoded_one_by_one()
    {
        var model = new FaultyModel();
        await using var engine =
            await EngineUnderTest.StartAsync(model, new EngineOptions { Mode = BatchingMode.Static, MaxBatchSize = 4 });
        model.BeforeDecode = count =>
        {
            if (count > 1)
                throw new DeviceMemoryException("no room");
        };
        for (var i = 0; i < 4; i++)
            engine.Submit(Requests.Of($"r{i}"));
        for (var i = 0; i < 4; i++)
            Assert.IsType<EngineEvent.Completed>(await engine.EndOf($"r{i}"));
    }

    [Fact]
    public async Task A_model_that_does_not_fit_at_all_says_so_at_start()
    {
        var model = new FaultyModel { BeforeStep = (_, _) => throw new DeviceMemoryException("It does not fit.") };
        await Assert.ThrowsAsync<DeviceMemoryException>(() => EngineUnderTest.StartAsync(model));
    }

    [Fact]
    public async Task Where_a_step_has_one_timestep_all_rows_of_a_step_stand_at_it()
    {
        await using var engine = await EngineUnderTest.StartAsync(new FaultyModel { TimestepPerRow = false });
        for (var i = 0; i < 6; i++)
            engine.Submit(Requests.Of($"r{i}", steps: 3 + i));
        for (var i = 0; i < 6; i++)
            Assert.IsType<EngineEvent.Completed>(await engine.EndOf($"r{i}"));
    }

    [Fact]
    public async Task A_latent_that_is_no_longer_a_number_fails_its_request_at_that_step_and_no_other()
    {
        byte[] alone;
        await using (var engine = await EngineUnderTest.StartAsync(new FaultyModel()))
        {
            engine.Submit(Requests.Of("good"));
            alone = await engine.ImageOf("good");
        }
        var model = new FaultyModel();
        await using var running = await EngineUnderTest.StartAsync(model);
        var bad = model.ConditioningOf("bad").Tensors[0].Values;
        var steps = 0;
        model.AfterRun = (batch, conditionings) =>
        {
            for (var row = 0; row < conditionings.Count; row++)
            {
                if (conditionings[row].Tensors[0].Values.SequenceEqual(bad) && ++steps == 3)
                    batch.Input(row)[0] = float.NaN;
            }
        };
        running.Submit(Requests.Of("good"));
        running.Submit(Requests.Of("bad", prompt: "bad"));
        Assert.Equal(
            "The model gave values that are not numbers at step 3; a half-precision model may need another sampler or guidance scale.",
            Assert.IsType<EngineEvent.Failed>(await running.EndOf("bad")).Message);
        Assert.Equal(2, running.EventsOf("bad").OfType<EngineEvent.Stepped>().Count());
        Assert.Equal(alone, await running.ImageOf("good"));
    }

    [Fact]
    public async Task A_lone_request_without_memory_beside_the_decoder_runs_when_that_is_idle()
    {
        using var decodes = new SemaphoreSlim(0);
        using var goOn = new SemaphoreSlim(0);
        var model = new FaultyModel();
        await using var engine = await EngineUnderTest.StartAsync(model);
        var decoding = false;
        model.BeforeDecode = _ =>
        {
            decoding = true;
            decodes.Release();
            Assert.True(goOn.Wait(TimeSpan.FromMinutes(3)));
            decoding = false;
        };
        engine.Submit(Requests.Of("first", steps: 1));
        Assert.True(await decodes.WaitAsync(TimeSpan.FromMinutes(3)));
        var refused = 0;
        model.BeforeStep = (_, _) =>
        {
            if (!decoding)
                return;
            refused++;
            goOn.Release();
            throw new DeviceMemoryException("no room");
        };
        model.BeforeDecode = null;
        engine.Submit(Requests.Of("second"));
        Assert.IsType<EngineEvent.Completed>(await engine.EndOf("second"));
        Assert.Equal(1, refused);
    }

    [Fact]
    public async Task Padding_that_does_not_fit_costs_no_request_its_place_in_the_step()
    {
        var model = new PaddedModel();
        var short_ = Requests.Of("short", steps: 2);
        await using var engine =
            await EngineUnderTest.StartAsync(model, new EngineOptions { Mode = BatchingMode.Continuous, MaxBatchSize = 3 });
        model.Calls.Clear();
        // Six rows run once; then four are needed, six would run, and only four fit.
        model.BeforeRun = needed => model.Fitting = needed == 4 && model.Calls.Any(call => call.Needed == 6) ? 4 : int.MaxValue;
        foreach (var request in new[] { short_, Requests.Of("a", steps: 40), Requests.Of("b", steps: 40) })
            engine.Submit(request);
        foreach (var id in new[] { "short", "a", "b" })
            Assert.IsType<EngineEvent.Completed>(await engine.EndOf(id));
        var together = model.Calls.SkipWhile(call => call.Needed != 6).SkipWhile(call => call.Needed == 6)
            .TakeWhile(call => call.Needed == 4).ToList();
        Assert.Contains(together, call => call.Run > 4);
        Assert.True(together.Count > 10, $"The needed rows were halved: {string.Join(", ", model.Calls)}");
    }
}
