using Muse.Tests.Infrastructure;

namespace Muse.Tests.Chaos;

/// <summary>Starts real worker processes with a short lease and frequent checkpoints.</summary>
static class WorkerProcess
{
    /// <summary>Starts a worker.</summary>
    /// <param name="redis">Its Redis.</param>
    /// <param name="device">Its device, as <c>MUSE_GPU_TYPE</c> names it.</param>
    /// <param name="settings">Further environment variables.</param>
    public static ProgramProcess Start(RedisServer redis, string device, params (string Name, string Value)[] settings) =>
        new("Muse.GpuWorker", redis,
        [
            ("MUSE_GPU_TYPE", device),
            ("Queue__Lease", "00:00:02"),
            ("Queue__MaxDeliveries", "100"), // Random faults may hit one image often. Dead letters have a test of their own.
            ("Engine__CheckpointEvery", "2"),
            ("Logging__LogLevel__Default", "Warning"),
            .. settings,
        ]);
}
