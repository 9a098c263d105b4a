using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.GpuWorker;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;

namespace Muse.Tests.Chaos;

/// <summary>
/// Real worker processes over a simulated device, and what they must paint: the simulated picture is a function of prompt and seed.
/// </summary>
static class WorkerFleet
{
    /// <summary>Starts a worker process.</summary>
    public static ProgramProcess Start(RedisServer redis, string device, params (string Name, string Value)[] settings) =>
        new("Muse.GpuWorker", redis,
        [
            ("MUSE_GPU_TYPE", device),
            ("Queue__Lease", "00:00:02"),
            ("Queue__MaxDeliveries", "100"), // Chance may hit one picture often; poison has its own test.
            ("Engine__CheckpointEvery", "2"),
            ("Logging__LogLevel__Default", "Warning"),
            .. settings,
        ]);

    /// <summary>Paints the same in this process, undisturbed.</summary>
    /// <returns>The <see cref="Hash"/> of each picture's file, by <see cref="WorkItem.Id"/>.</returns>
    public static async Task<Dictionary<string, string>> PaintAsync(IReadOnlyCollection<ImageJob> jobs)
    {
        using var model =
            DiffusionModels.Open(ModelLocation.Find(null, Repository.Root), "simulated:base=0ms,picture=0ms", new DeviceOptions(),
            TimeProvider.System, NullLogger.Instance);
        await using var engine =
            new DiffusionEngine(model, new EngineOptions { CheckpointEvery = 0 }, TimeProvider.System,
            NullLogger<DiffusionEngine>.Instance);
        await engine.StartAsync(CancellationToken.None);
        var requests =
            jobs.SelectMany(job => Enumerable.Range(0, job.Count).Select(index =>
            RequestMapping.From(new WorkItem("", job, index, 1, default), engine.Model)))
            .ToDictionary(request => request.Id);
        var feeding = Task.Run(async () =>
        {
            foreach (var request in requests.Values)
            {
                while (!engine.TrySubmit(request))
                    await engine.WaitForRoomAsync(CancellationToken.None);
            }
        });
        var pictures = new Dictionary<string, string>();
        while (pictures.Count < requests.Count)
        {
            if (await engine.Events.ReadAsync(Samples.Limit()) is EngineEvent.Completed completed)
            {
                pictures[completed.RequestId] =
                    Hash(ImageEncoder.Encode(completed.Image, ImageFormat.Png, 90,
                    new(ImageParameters.Describe(requests[completed.RequestId], engine.Model), IsAiGenerated: true)));
            }
        }

        await feeding;
        return pictures;
    }

    /// <summary>A picture's bytes in short.</summary>
    public static string Hash(ReadOnlySpan<byte> picture) => Convert.ToHexStringLower(SHA256.HashData(picture));
}
