using Muse.Queue;
using Muse.Tests.Chaos;
using Muse.Tests.Diffusion.OnnxFolders;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;
using static Muse.Tests.Queue.Samples;

namespace Muse.Tests.GpuWorker;

public sealed class WarmUpTests
{
    [RedisFact]
    public async Task A_worker_is_starting_until_all_its_sizes_are_warmed_up()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var api = fixture.Start();
        // 400 ms a step, six of them for each size.
        await using var worker = WorkerProcess.Start(fixture.Redis, "simulated:base=8000ms,picture=0ms",
            ("MUSE_WARM_UP_SIZES", "128x128,96x96"), ("Logging__LogLevel__Default", "Information"));
        await EventuallyAsync(() => api.Fleet.WorkersAsync(Limit()), workers => workers is [{ State: WorkerState.Starting }], seconds: 60);
        await EventuallyAsync(() => Task.FromResult(worker.Output), output => output.Contains(" is ready: "), seconds: 60);
        await EventuallyAsync(() => api.Fleet.WorkersAsync(Limit()), workers => workers is [{ State: WorkerState.Ready }]);

        var output = worker.Output;
        var ready = output.IndexOf(" is ready: ", StringComparison.Ordinal);
        Assert.InRange(output.IndexOf(" at 128x128: up to 24 rows, in ", StringComparison.Ordinal), 0, ready);
        Assert.InRange(output.IndexOf(" at 96x96: up to 24 rows, in ", StringComparison.Ordinal), 0, ready);
    }

    [Fact]
    public async Task A_size_that_the_model_can_not_generate_ends_the_worker_with_one_sentence()
    {
        await using var worker = new ProgramProcess("Muse.GpuWorker",
            ("ConnectionStrings__redis", "127.0.0.1:1"),
            ("MUSE_GPU_TYPE", "simulated:base=0ms"),
            ("MUSE_WARM_UP_SIZES", "128x128,100x100"));
        await worker.WaitForExitAsync(Limit(60));
        Assert.Equal(1, worker.ExitCode);
        Assert.Contains(
            "Muse.GpuWorker can't start: Engine:WarmUpSizes: the model 'scenes' can't generate 100x100. Width must be a multiple of ",
            worker.Output);
        Assert.DoesNotContain("   at ", worker.Output);
    }

    [RedisFact]
    public async Task A_worker_that_can_not_be_warmed_up_ends_and_says_why()
    {
        await using var fixture = await QueueFixture.StartAsync();
        var folder = new OnnxFolderBuilder { SmallOnly = true }.Write();
        await using var worker = WorkerProcess.Start(fixture.Redis, "cpu", ("MUSE_MODEL", folder));
        await worker.WaitForExitAsync(Limit(60));
        Assert.True(worker.ExitCode == 1, $"It ended with {worker.ExitCode}: {worker.Output}");
        Assert.Contains("can't generate and ends: ", worker.Output);
    }
}
