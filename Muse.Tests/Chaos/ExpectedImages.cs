using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.GpuWorker;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;

namespace Muse.Tests.Chaos;

/// <summary>The images that jobs must give. An image of the simulated device is a function of prompt and seed.</summary>
static class ExpectedImages
{
    /// <summary>Generates the images of these jobs in this process, without faults.</summary>
    /// <returns>The <see cref="Hash"/> of each image's file, by <see cref="WorkItem.Id"/>.</returns>
    public static async Task<Dictionary<string, string>> GenerateAsync(IReadOnlyCollection<ImageJob> jobs)
    {
        var folder = ModelLocation.Find(null, Repository.Root);
        using var model = DiffusionModels.Open(
            folder, "simulated:base=0ms,picture=0ms", new DeviceOptions(), TimeProvider.System, NullLogger.Instance);
        await using var engine = new DiffusionEngine(
            model, new EngineOptions { CheckpointEvery = 0 }, TimeProvider.System, NullLogger<DiffusionEngine>.Instance);
        await engine.StartAsync(CancellationToken.None);
        var requests = jobs
            .SelectMany(job => Enumerable.Range(0, job.Count).Select(index => new WorkItem("", job, index, 1, default)))
            .Select(item => RequestMapping.From(item, engine.Model, item.Job.Input is null ? null : EditedImage.Pixels))
            .ToDictionary(request => request.Id);
        var submitting = Task.Run(async () =>
        {
            foreach (var request in requests.Values)
            {
                while (!engine.TrySubmit(request))
                    await engine.WaitForFreeSlotAsync(CancellationToken.None);
            }
        });
        var hashes = new Dictionary<string, string>();
        while (hashes.Count < requests.Count)
        {
            if (await engine.Events.ReadAsync(Samples.Limit()) is EngineEvent.Completed completed)
            {
                var parameters = ImageParameters.Describe(requests[completed.RequestId], engine.Model);
                var metadata = new ImageMetadata(parameters, IsAiGenerated: true);
                hashes[completed.RequestId] = Hash(ImageEncoder.Encode(completed.Image, ImageFormat.Png, 90, metadata));
            }
        }

        await submitting;
        return hashes;
    }

    /// <summary>The SHA-256 of a file, in hexadecimal digits.</summary>
    public static string Hash(ReadOnlySpan<byte> file) => Convert.ToHexStringLower(SHA256.HashData(file));
}
