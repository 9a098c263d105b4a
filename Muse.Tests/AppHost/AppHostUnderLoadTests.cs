using System.Runtime.Versioning;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.AppHost;

/// <summary>The whole system with work in it, over real Aspire. The device is simulated: a step takes as long as the test needs.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class AppHostUnderLoadTests
{
    [SkippableFact]
    public async Task Images_in_work_survive_SIGTERM_and_the_kill_of_the_AppHost()
    {
        using var data = new TemporaryFolder();
        // Simulated: a step takes so long that no image is finished before the signals.
        (string, string?)[] settings =
        [
            ("MUSE_DATA", data.Path), ("MUSE_GPU_TYPE", "simulated:base=6000ms,picture=0ms"), ("MUSE_MAX_WORKERS", "1"),
            ("Queue__Lease", "00:00:05"),
        ];
        string[]? jobs = null;
        foreach (var signal in (Signal[])[Signal.Terminate, Signal.Kill])
        {
            await using var host = await AppHostProcess.StartAsync(settings);
            jobs ??= await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => host.SubmitAsync(images: 6, steps: 100)));
            foreach (var job in jobs)
                await host.UntilAsync(job, AppHostProcess.IsRunning);
            host.Send(signal);
            await host.WaitForExitAsync();
            await host.AllProcessesEndAsync();
        }
        await using var last = await AppHostProcess.StartAsync(settings);
        foreach (var job in jobs!)
        {
            var generation = await last.UntilAsync(job, AppHostProcess.HasEnded);
            Assert.Equal("succeeded", AppHostProcess.State(generation));
            Assert.Equal(6, generation.GetProperty("images").GetArrayLength());
        }
    }

    [SkippableFact]
    public async Task Workers_come_with_the_load_and_leave_after_it()
    {
        await using var host = await AppHostProcess.StartAsync(
            ("MUSE_GPU_TYPE", "simulated:base=2000ms,picture=0ms"), ("MUSE_MAX_WORKERS", "4"), ("MUSE_MAX_BATCH_SIZE", "4"),
            ("MUSE_AUTOSCALE_INTERVAL", "1"), ("MUSE_TARGET_WAIT", "2"), ("MUSE_COLD_START", "2"),
            ("Autoscaler__StabilisationWindow", "00:00:05"));
        var jobs = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => host.SubmitAsync(images: 10, steps: 20)));
        await Processes.UntilAsync(() => host.WorkerProcesses().Count == 4, AppHostProcess.Limit, () => host.Output);
        foreach (var job in jobs)
            Assert.Equal("succeeded", AppHostProcess.State(await host.UntilAsync(job, AppHostProcess.HasEnded)));
        await Processes.UntilAsync(() => host.WorkerProcesses().Count == 1, AppHostProcess.Limit, () => host.Output);
    }
}
