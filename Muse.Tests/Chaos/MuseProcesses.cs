using Muse.Tests.Infrastructure;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.Chaos;

/// <summary>
/// The processes that faults are injected into: workers and one API. A process that ends is replaced, and all end with the test.
/// </summary>
sealed class MuseProcesses : IAsyncDisposable
{
    readonly RedisServer redis;
    readonly (string Name, string Value)[] settings;
    readonly ProgramProcess[] workers;
    readonly List<Task> resuming = [];
    ProgramProcess api;

    public MuseProcesses(RedisServer redis, int count, params (string Name, string Value)[] settings)
    {
        (this.redis, this.settings) = (redis, settings);
        Address = new($"http://127.0.0.1:{RedisServer.FreePort()}");
        api = StartApi();
        workers = [.. Enumerable.Range(0, count).Select(_ => StartWorker())];
    }

    /// <summary>The address of the API. It stays the same when the process is replaced.</summary>
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

    /// <summary>Pauses a worker for longer than its lease of 2 s, so that others take over its work, and resumes it.</summary>
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

    public async Task KillApiAsync()
    {
        api.Kill();
        await api.WaitForExitAsync(Limit());
        await api.DisposeAsync();
        api = StartApi();
    }

    /// <summary>Waits until the API is connected to Redis.</summary>
    public async Task WaitUntilHealthyAsync()
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
                return false; // It is starting.
            }
        }, healthy => healthy);
    }

    /// <summary>Fails the test if a process has ended that no fault has ended.</summary>
    public void AssertAllRun()
    {
        foreach (var process in workers.Append(api))
            Assert.False(process.HasExited, $"A process has ended by itself.\n{process.Output}");
    }

    /// <summary>Waits until no worker is paused.</summary>
    public Task WaitUntilResumedAsync() => Task.WhenAll(resuming);

    async Task ReplaceAsync(int index)
    {
        await workers[index].WaitForExitAsync(Limit());
        await workers[index].DisposeAsync();
        workers[index] = StartWorker();
    }

    ProgramProcess StartWorker() => WorkerProcess.Start(redis, "simulated:base=100ms,picture=2ms,steps=10", settings);

    ProgramProcess StartApi() => new("Muse.Api", redis,
        [("ASPNETCORE_URLS", Address.ToString()), ("MUSE_RATE_LIMITS", "false"),
        ("Queue__MaxWait", "1.00:00:00"), ("Queue__ReadinessGrace", "00:00:00"), ("Logging__LogLevel__Default", "Error"), .. settings]);

    public async ValueTask DisposeAsync()
    {
        await WaitUntilResumedAsync();
        foreach (var worker in workers)
            await worker.DisposeAsync();
        await api.DisposeAsync();
    }
}
