using CsCheck;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Networks;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>An image does not depend on the other requests in the batch.</summary>
public class BatchIndependenceTests
{
    static readonly string[] AllSamplers =
        ["euler", "euler_a", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "pndm", "heun", "unipc"];

    // Guided requests change from one row to two on their way.
    static FaultyModel Free() => new() { GuidanceMaxTimestep = 500 };

    static readonly Gen<GenerationRequest> TextToImage =
        Gen.Select(Gen.String[Gen.Char['a', 'f'], 1, 6], Gen.Int[1, 14], Gen.OneOf(1f, 2f, 7.5f), Gen.OneOf(128, 192),
            Gen.OneOf(AllSamplers), Gen.Long[0, 5])
            .Select((prompt, steps, guidance, size, sampler, seed) => Requests.Of("", prompt, steps, guidance, size, sampler, seed));

    // Half of the requests start from an image, half of those with a mask.
    static readonly Gen<GenerationRequest> Request =
        Gen.Select(TextToImage, Gen.Int[0, 3], Gen.OneOf(0.3, 0.6, 1.0), Gen.Long[0, 3]).Select((request, kind, strength, image) =>
            kind < 2 ? request : request with
            {
                Input = Inputs.Of(image, request.Width, request.Steps * strength < 1 ? 1 : strength,
                    kind == 2 ? null : Inputs.Square(request.Width, 32, 96)),
            });

    static async Task<byte[]> Alone(IDiffusionModel model, GenerationRequest request)
    {
        await using var engine = await EngineUnderTest.StartAsync(model);
        engine.Submit(request with { Id = "alone" });
        return await engine.ImageOf("alone");
    }

    [Fact]
    public void In_any_batch_and_after_any_interruption_an_image_is_the_same_to_the_bit() =>
        Gen.Select(Request.Array[1, 14], Gen.Int[1, 12], Gen.Int[2, 24], Gen.Int[1, 9], Gen.Int[0, 40])
            .Sample((drawn, maxBatchSize, maxRows, checkpointEvery, interruptAfter) =>
            RunAsync(drawn, maxBatchSize, maxRows, checkpointEvery, interruptAfter).GetAwaiter().GetResult(), iter: 40, threads: 1);

    static async Task RunAsync(GenerationRequest[] drawn, int maxBatchSize, int maxRows, int checkpointEvery, int interruptAfter)
    {
        var requests = drawn.Select((request, i) => request with { Id = $"{i}" }).ToList();
        var options = new EngineOptions { MaxBatchSize = maxBatchSize, MaxRows = maxRows, CheckpointEvery = checkpointEvery };
        var images = new Dictionary<string, byte[]>();
        var states = new Dictionary<string, ReadOnlyMemory<byte>>();

        // The first engine is drained in the middle of whatever it does; the second goes on from where it was.
        await using (var first = await EngineUnderTest.StartAsync(Free(), options))
        {
            var seen = 0;
            var interrupted = new TaskCompletionSource();
            first.OnEvent = _ =>
            {
                if (++seen == interruptAfter)
                    interrupted.TrySetResult();
            };
            foreach (var request in requests)
            {
                await Task.WhenAny(first.Engine.WaitForFreeSlotAsync(CancellationToken.None), interrupted.Task);
                if (interrupted.Task.IsCompleted || !first.Engine.TrySubmit(request))
                    break;
            }
            await first.DrainAsync();
            foreach (var e in first.Events)
            {
                if (e is EngineEvent.HandedBack back)
                    states[back.RequestId] = back.State;
                else if (e is EngineEvent.Completed done)
                    images[done.RequestId] = done.Image.Pixels;
            }
        }
        await using (var second = await EngineUnderTest.StartAsync(Free(), options))
        {
            foreach (var request in requests.Where(r => !images.ContainsKey(r.Id)))
            {
                await second.Engine.WaitForFreeSlotAsync(CancellationToken.None);
                second.Submit(request, states.GetValueOrDefault(request.Id));
            }
            foreach (var request in requests.Where(r => !images.ContainsKey(r.Id)).ToList())
                images[request.Id] = await second.ImageOf(request.Id);
        }
        foreach (var request in requests)
            Assert.Equal(await Alone(Free(), request), images[request.Id]);
    }

    [Fact]
    public async Task A_real_graph_gives_the_same_image_in_a_batch_of_twelve_within_one_step_of_colour()
    {
        var folder = new OnnxFolderBuilder().Write();
        var requests = Enumerable.Range(0, 12)
            .Select(i => Requests.Of($"r{i}", $"prompt {i}", steps: 3 + i, guidance: i % 3, sampler: AllSamplers[i % AllSamplers.Length]))
            .ToList();
        await using var engine = await EngineUnderTest.StartAsync(OnnxModelTests.Open(folder));
        foreach (var request in requests)
            engine.Submit(request);
        foreach (var request in requests)
        {
            var (together, alone) = (await engine.ImageOf(request.Id), await Alone(OnnxModelTests.Open(folder), request));
            // A matrix product of more rows may add up in another order.
            Assert.True(together.Zip(alone).All(p => Math.Abs(p.First - p.Second) <= 1), request.Id);
        }
    }

    [Theory]
    [InlineData(null, 2)]
    [InlineData("unet", 0)]
    [InlineData("text_encoder", 0)]
    [InlineData("tokenizer", 0)]
    [InlineData("scheduler", 0)]
    [InlineData("vae_decoder", 2)]
    public async Task An_image_started_with_other_weights_or_settings_starts_over(string? changed, int stepsKept)
    {
        var folder = new OnnxFolderBuilder { ExternalData = true }.Write();
        var request = Requests.Of("r", "a prompt", steps: 6);
        ReadOnlyMemory<byte> state = default;
        await using (var first = await EngineUnderTest.StartAsync(OnnxModelTests.Open(folder), new EngineOptions { CheckpointEvery = 2 }))
        {
            first.Submit(request);
            await first.ImageOf("r");
            state = first.EventsOf("r").OfType<EngineEvent.Checkpointed>().First(e => e.Step == 2).State;
        }
        if (changed is not null)
            Change(Path.Combine(folder, changed));
        await using var second = await EngineUnderTest.StartAsync(OnnxModelTests.Open(folder));
        second.Submit(request, state);
        await second.ImageOf("r");
        Assert.Equal(stepsKept, second.EventsOf("r").OfType<EngineEvent.Joined>().Single().Step);
    }

    // A weight's last bits, or a space after a JSON file or a vocabulary: what still loads, and is not the same.
    static void Change(string part)
    {
        var files = Directory.GetFiles(part).Order().ToList();
        if (files.Find(file => Path.GetFileName(file).StartsWith("model.onnx") && Path.GetExtension(file) != ".onnx") is not { } weights)
        {
            File.AppendAllText(files.First(file => file.EndsWith(".json")), " ");
            return;
        }
        var bytes = File.ReadAllBytes(weights);
        bytes[0] ^= 1;
        File.WriteAllBytes(weights, bytes);
    }
}
