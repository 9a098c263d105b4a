using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>
/// The processes that are struck: workers and one API. Whoever dies is replaced; none outlives the test, however it ends.
/// </summary>
sealed class Crew : IAsyncDisposable
{
    readonly RedisServer redis;
    readonly ProgramProcess[] workers;
    readonly List<Task> resuming = [];
    ProgramProcess server;

    public Crew(RedisServer redis, int count)
    {
        this.redis = redis;
        Address = new($"http://127.0.0.1:{RedisServer.FreePort()}");
        server = StartServer();
        workers = [.. Enumerable.Range(0, count).Select(_ => StartWorker())];
    }

    /// <summary>Where the API is, whichever process serves it.</summary>
    public Uri Address { get; }

    public async Task KillWorkerAsync(int index)
    {
        workers[index].Kill();
        await ReplaceAsync(index);
    }

    public async Task TerminateWorkerAsync(int index)
    {
        workers[index].Terminate();
        await ReplaceAsync(index);
    }

    /// <summary>Pauses it past its lease of 2 s and lets it go on, while others go on with its work.</summary>
    public void PauseWorker(int index)
    {
        var paused = workers[index];
        paused.Pause();
        resuming.Add(ResumeAsync());

        async Task ResumeAsync()
        {
            await Task.Delay(TimeSpan.FromSeconds(3));
            paused.Resume();
        }
    }

    public async Task KillServerAsync()
    {
        server.Kill();
        await server.WaitForExitAsync(Limit());
        await server.DisposeAsync();
        server = StartServer();
    }

    /// <summary>Waits until the API has Redis.</summary>
    public async Task ServerIsWellAsync()
    {
        using var client = new HttpClient();
        await EventuallyAsync(async () =>
        {
            try
            {
                using var health = await client.GetAsync(new Uri(Address, "/health"));
                return health.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false; // It starts.
            }
        }, well => well);
    }

    /// <summary>Waits until nobody is paused any more.</summary>
    public Task AllResumedAsync() => Task.WhenAll(resuming);

    async Task ReplaceAsync(int index)
    {
        await workers[index].WaitForExitAsync(Limit());
        await workers[index].DisposeAsync();
        workers[index] = StartWorker();
    }

    ProgramProcess StartWorker() => WorkerFleet.Start(redis, "simulated:base=100ms,picture=2ms,steps=10");

    ProgramProcess StartServer() => new("Muse.Api", redis,
        ("ASPNETCORE_URLS", Address.ToString()), ("MUSE_RATE_LIMITS", "false"), ("Queue__MaxWait", "1.00:00:00"),
            ("Logging__LogLevel__Default", "Error"));

    public async ValueTask DisposeAsync()
    {
        await AllResumedAsync();
        foreach (var worker in workers)
            await worker.DisposeAsync();
        await server.DisposeAsync();
    }
}
