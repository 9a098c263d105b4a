using System.Net;
using Muse.Queue;
using Muse.Tests.Chaos;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.GpuWorker;

public sealed class StalledEngineTests
{
    [RedisFact]
    public async Task A_worker_whose_model_does_not_come_back_is_not_alive()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        var address = $"http://127.0.0.1:{RedisServer.FreePort()}";
        // A step takes two seconds, twice the limit. Between two steps the worker is alive.
        await using var worker = WorkerProcess.Start(fixture.Redis, "simulated:base=40000ms,picture=0ms",
            ("ASPNETCORE_URLS", address), ("Engine__StallLimit", "00:00:01"), ("MUSE_WARM_UP_SIZES", "128x128"));
        using var client = new HttpClient();
        await EventuallyAsync(() => api.Fleet.WorkersAsync(Limit()), workers => workers is [{ State: WorkerState.Ready }], seconds: 120);
        Assert.Equal(HttpStatusCode.OK, await AliveAsync());

        await api.Jobs.SubmitAsync(Job(), null, Limit());
        await EventuallyAsync(AliveAsync, status => status == HttpStatusCode.ServiceUnavailable, seconds: 60);

        async Task<HttpStatusCode> AliveAsync() => (await client.GetAsync($"{address}/alive", Limit())).StatusCode;
    }

    [Theory]
    [InlineData("step")]
    [InlineData("decode")]
    [InlineData("text encoder")]
    public async Task The_longest_call_into_the_model_is_known_while_it_runs(string call)
    {
        using var release = new ManualResetEventSlim();
        using var entered = new ManualResetEventSlim();
        var model = new FaultyModel();
        await using var engine = await EngineUnderTest.StartAsync(model);
        if (call == "step")
            model.BeforeStep = (_, _) => Block();
        else if (call == "decode")
            model.BeforeDecode = _ => Block();
        else
            model.BeforeEncode = _ => Block();
        Assert.Equal(TimeSpan.Zero, engine.Engine.LongestCall);

        engine.Submit(Requests.Of("a", "a fox"));
        Assert.True(entered.Wait(TimeSpan.FromMinutes(1)));
        await EventuallyAsync(() => Task.FromResult(engine.Engine.LongestCall), elapsed => elapsed > TimeSpan.FromMilliseconds(40));
        release.Set();
        await engine.ImageOf("a");
        await EventuallyAsync(() => Task.FromResult(engine.Engine.LongestCall), elapsed => elapsed == TimeSpan.Zero);

        void Block()
        {
            entered.Set();
            release.Wait();
        }
    }
}
