using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.Tests.Autoscaler;
using Muse.Tests.Infrastructure;
using Xunit.Abstractions;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>The built-in model on a real GPU; skipped, with the reason, where there is none.</summary>
public class CudaTests(ITestOutputHelper output)
{
    static readonly string[] Samplers = ["euler", "euler_a", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "pndm", "heun", "unipc"];
    static readonly List<GenerationRequest> Twelve =
        [.. Enumerable.Range(0, 12)
            .Select(i =>
            Requests.Of($"r{i}", "a large red star above a small blue house at night", steps: 6 + i, guidance: 1 + i % 3, size: i % 4 == 3
            ? 96 : 128, sampler: Samplers[i % Samplers.Length]))];

    static IDiffusionModel Open(string device, DeviceOptions? options = null)
    {
        try
        {
            return DiffusionModels.Open(Path.Combine(Repository.Root, "models", "scenes"), device, options
                ?? new DeviceOptions(), TimeProvider.System, NullLogger.Instance);
        }
        catch (ArgumentException e) when (device == "cuda")
        {
            Skip.If(true, e.Message);
            throw;
        }
    }

    [SkippableFact]
    public void Auto_takes_it()
    {
        Open("cuda").Dispose();
        var log = new LinesLogger();
        var chosen = ExecutionProvider.Choose("auto", new DeviceOptions(), log.For<DiffusionEngine>());
        output.WriteLine(string.Join('\n', log.All));
        Assert.False(chosen.OnHost);
        Assert.Equal($"{chosen.Name}: it works here and is the fastest of those that do", log.All[^1]);
    }

    // TF32 has ten bits of a number's 23: what it rounds away is seen, if barely.
    [SkippableTheory]
    [InlineData(false, 0.1, 2)]
    [InlineData(true, 3, 255)]
    public async Task An_image_is_the_same_alone_in_a_batch_and_on_the_CPU(bool tf32, double mean, int most)
    {
        var others = await GenerateAsync(Open("cuda", new DeviceOptions { UseTf32 = tf32 }), 12);
        var alone = await GenerateAsync(Open("cuda", new DeviceOptions { UseTf32 = tf32 }), 1);
        var host = await GenerateAsync(Open("cpu"), 12);
        for (var i = 0; i < Twelve.Count; i++)
            output.WriteLine($"{Twelve[i].Sampler}: alone {Difference(others[i], alone[i])}, CPU {Difference(others[i], host[i])}");
        for (var i = 0; i < Twelve.Count; i++)
        {
            AssertAlike(others[i], alone[i], mean, most);
            AssertAlike(others[i], host[i], mean, most);
        }
    }

    [SkippableFact]
    public async Task An_image_started_on_it_is_finished_on_the_CPU()
    {
        var request = Twelve[9];
        ReadOnlyMemory<byte> state;
        await using (var first =
            await EngineUnderTest.StartAsync(Open("cuda", new DeviceOptions { UseTf32 = false }),
            new EngineOptions { CheckpointEvery = 5 }))
        {
            first.Submit(request);
            await first.ImageOf(request.Id);
            state = first.EventsOf(request.Id).OfType<EngineEvent.Checkpointed>().First().State;
        }
        await using var second = await EngineUnderTest.StartAsync(Open("cpu"));
        second.Submit(request, state);
        var image = await second.ImageOf(request.Id);
        Assert.Equal(5, second.EventsOf(request.Id).OfType<EngineEvent.Joined>().Single().Step);
        var whole = (await GenerateAsync(Open("cpu"), 12))[9];
        output.WriteLine(Difference(image, whole).ToString());
        AssertAlike(image, whole, 0.1, 2);
    }

    [SkippableFact]
    public async Task With_too_little_memory_for_the_batch_it_takes_fewer_rows_and_generates_all_images()
    {
        Open("cuda").Dispose();
        var host = await GenerateAsync(Open("cpu"), 12);
        var halved = new List<long>();
        // How much a row takes is the device's business: less and less is given, until not even one fits.
        for (long limit = 160_000_000; limit > 1_000_000; limit = limit * 4 / 5)
        {
            var log = new LinesLogger();
            try
            {
                var images = await GenerateAsync(Open("cuda", new DeviceOptions { UseTf32 = false, GpuMemoryLimit = limit }), 12, log);
                for (var i = 0; i < Twelve.Count; i++)
                    AssertAlike(images[i], host[i], 0.1, 2);
                output.WriteLine($"{limit}: {string.Join("; ", log.All)}");
                if (log.All.Any(line => line.Contains("did not fit into the device's memory; from now on at most")))
                    halved.Add(limit);
            }
            catch (DeviceMemoryException e)
            {
                output.WriteLine($"{limit}: {e.Message}");
                break;
            }
        }
        Assert.NotEmpty(halved);
    }

    static async Task<List<byte[]>> GenerateAsync(IDiffusionModel model, int batch, LinesLogger? log = null)
    {
        await using var engine =
            await EngineUnderTest.StartAsync(model, new EngineOptions { MaxBatchSize = batch }, log: log?.For<DiffusionEngine>());
        foreach (var request in Twelve)
        {
            await engine.Engine.WaitForFreeSlotAsync(CancellationToken.None);
            engine.Submit(request);
        }
        var images = new List<byte[]>();
        foreach (var request in Twelve)
            images.Add(await engine.ImageOf(request.Id));
        return images;
    }

    static (double Mean, int Most) Difference(byte[] one, byte[] other)
    {
        var differences = one.Zip(other, (a, b) => Math.Abs(a - b)).ToList();
        return (Math.Round(differences.Average(), 4), differences.Max());
    }

    static void AssertAlike(byte[] one, byte[] other, double mean, int most)
    {
        var difference = Difference(one, other);
        Assert.InRange(difference.Mean, 0, mean);
        Assert.InRange(difference.Most, 0, most);
    }
}
