using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Tests.Autoscaler;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Networks;

/// <summary>Folders with an image encoder, and what the engine makes of an image with them.</summary>
public class LatentEncoderTests
{
    const int Size = 128;

    static readonly Dictionary<string, OnnxFolderBuilder> Variants = new()
    {
        ["parameters"] = new() { Encoder = EncoderOutput.Parameters },
        ["mean"] = new() { Encoder = EncoderOutput.Mean },
        ["half precision"] =
            new() { Encoder = EncoderOutput.Parameters, Real = TensorElementType.Float16, FileName = "model_fp16.onnx" },
        ["one image at a time"] = new() { Encoder = EncoderOutput.Parameters, VaeBatch = 1 },
        ["SDXL"] = new() { Encoder = EncoderOutput.Parameters, Two = true, UnetTextWidth = 32 },
        ["latent consistency"] = new() { Encoder = EncoderOutput.Parameters, Scheduler = "LCMScheduler", GuidanceLength = 32 },
        ["flow matching"] =
            new()
            {
                Encoder = EncoderOutput.Parameters,
                Scheduler = "FlowMatchEulerDiscreteScheduler",
                PredictionType = "flow_prediction",
            },
        ["inpainting"] = new() { Encoder = EncoderOutput.Parameters, Channels = 9, UnetConfig = NineChannels },
        ["inpainting, half precision"] =
            new()
            {
                Encoder = EncoderOutput.Parameters,
                Channels = 9,
                UnetConfig = NineChannels,
                Real = TensorElementType.Float16,
                FileName = "model_fp16.onnx",
            },
        ["inpainting, SDXL"] =
            new() { Encoder = EncoderOutput.Mean, Channels = 9, UnetConfig = NineChannels, Two = true, UnetTextWidth = 32 },
    };

    const string NineChannels = """{"sample_size": 16, "in_channels": 9}""";

    public static TheoryData<string> Layouts => new(Variants.Keys);

    static IDiffusionModel Scenes() => OnnxModelTests.Open(Path.Combine(Repository.Root, "models", "scenes"));

    static async Task<byte[]> Generate(IDiffusionModel model, params GenerationRequest[] requests)
    {
        await using var engine = await EngineUnderTest.StartAsync(model);
        foreach (var request in requests)
            engine.Submit(request);
        return await engine.ImageOf(requests[0].Id);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task An_edit_depends_on_its_image_and_seed_and_keeps_what_the_mask_keeps(string layout)
    {
        var folder = Variants[layout].Write();
        var input = Inputs.Of(1, Size, 0.7, Inputs.Square(Size, 40, 90));
        var edit = Requests.Of("a", prompt: "a cat", steps: 4, seed: 1) with { Input = input };
        Assert.Null(OnnxModelTests.Open(folder).Traits.Check(edit));
        var first = await Generate(OnnxModelTests.Open(folder), edit);
        Assert.True(Inputs.Keeps(first, input));
        Assert.Equal(first, await Generate(OnnxModelTests.Open(folder), edit));
        Assert.NotEqual(first, await Generate(OnnxModelTests.Open(folder), edit with { Seed = 2 }));
        Assert.NotEqual(first, await Generate(OnnxModelTests.Open(folder), edit with { Prompt = "a dog" }));
        var other = await Generate(OnnxModelTests.Open(folder), edit with { Input = input with { Image = Inputs.Image(2, Size) } });
        Assert.NotEqual(Inside(first), Inside(other));

        // Others of all kinds beside it.
        var others = new[]
        {
            edit with { Id = "b", Seed = 3 },
            edit with { Id = "c", Input = input with { Strength = 1 } },
            edit with { Id = "d", Width = 64, Height = 64, Input = Inputs.Of(5, 64, 0.5, Inputs.Square(64, 8, 40)) },
            edit with { Id = "e", Steps = 9 },
        };
        var together = await Generate(OnnxModelTests.Open(folder), [edit, .. others]);
        Assert.All(first.Zip(together), pixel => Assert.InRange(pixel.First - pixel.Second, -1, 1));
    }

    /// <summary>At strength 1 nothing of the image is in the latent that such a run starts from.</summary>
    [Theory]
    [InlineData("inpainting")]
    [InlineData("inpainting, half precision")]
    [InlineData("inpainting, SDXL")]
    public async Task An_inpainting_model_sees_the_image_around_the_mask_and_the_mask(string layout)
    {
        var folder = Variants[layout].Write();
        var input = Inputs.Of(1, Size, 1, Inputs.Square(Size, 40, 90));
        var images = new List<byte[]>();
        var (otherImage, otherMask) = (input with { Image = Inputs.Image(2, Size) }, input with { Mask = Inputs.Square(Size, 30, 90) });
        foreach (var seen in new[] { input, otherImage, otherMask })
            images.Add(Inside(await Generate(OnnxModelTests.Open(folder), Requests.Of("a", steps: 4, seed: 1) with { Input = seen })));
        Assert.NotEqual(images[0], images[1]);
        Assert.NotEqual(images[0], images[2]);
    }

    static byte[] Inside(byte[] pixels) => [.. Enumerable.Range(50, 30).SelectMany(y => pixels[(3 * (y * Size + 50))..][..90])];

    [Fact]
    public void Mean_and_variance_give_a_sample_of_the_seed()
    {
        using var model = OnnxModelTests.Open(Variants["parameters"].Write());
        var (shape, image) = (model.GetLatentShape(Size, Size), Inputs.Image(1, Size));
        var (mean, one) = (model.EncodeImage(shape, image, [], new Silence()), model.EncodeImage(shape, image, [], new SeededNoise(1)));
        Assert.Equal(one, model.EncodeImage(shape, image, [], new SeededNoise(1)));
        Assert.NotEqual(one, model.EncodeImage(shape, image, [], new SeededNoise(2)));
        // The folder's scale is 0.5; what ε was multiplied by is the deviation, and never below zero.
        var epsilon = new float[shape.Length];
        new SeededNoise(1).Fill(-2, 0, epsilon);
        var deviations = one.Select((value, i) => (value - mean[i]) / epsilon[i] / 0.5).ToList();
        Assert.All(deviations, deviation => Assert.True(deviation > 0));
        Assert.NotEqual(deviations[0], deviations[1]);
    }

    [Fact]
    public void A_hole_is_grey_to_the_encoder()
    {
        using var model = OnnxModelTests.Open(Variants["mean"].Write());
        var shape = model.GetLatentShape(Size, Size);
        byte[] everywhere = [.. Enumerable.Repeat((byte)255, Size * Size)];
        // The encoder's graph has no bias, so that grey becomes zeros.
        Assert.All(model.EncodeImage(shape, Inputs.Image(1, Size), everywhere, new Silence()), value => Assert.Equal(0, value));
        var half = model.EncodeImage(shape, Inputs.Image(1, Size), Inputs.Square(Size, 0, 64), new Silence());
        Assert.Equal(0, half[0]);
        Assert.NotEqual(0, half[^1]);
    }

    [Theory]
    [InlineData("Parameters", false)]
    [InlineData("Mean", false)]
    [InlineData("Sample", true)]
    public void An_encoder_that_draws_its_own_noise_is_logged_at_its_first_use(string output, bool said)
    {
        var log = new LinesLogger();
        var folder = new OnnxFolderBuilder { Encoder = Enum.Parse<EncoderOutput>(output) }.Write();
        using var model = DiffusionModels.Open(folder, "cpu",
            new DeviceOptions { Threads = 1 }, TimeProvider.System, log.For<OnnxModel>());
        Assert.DoesNotContain(log.All, line => line.Contains("vae_encoder"));
        for (var i = 0; i < 2; i++)
            model.EncodeImage(model.GetLatentShape(Size, Size), Inputs.Image(1, Size), [], new SeededNoise(1));
        const string Warning = "Model tiny: tiny/vae_encoder/model.onnx draws noise of its own; an image made from another can't be made "
            + "again from its seed.";
        Assert.Equal(said ? Warning : null, log.All.SingleOrDefault(line => line.Contains("vae_encoder")));
    }

    [Fact]
    public void A_folder_without_an_encoder_or_with_a_broken_one_generates_from_text_alone()
    {
        using var without = OnnxModelTests.Open(new OnnxFolderBuilder().Write());
        Assert.False(without.Traits.ImageInput);
        var folder = new OnnxFolderBuilder { Encoder = EncoderOutput.Mean }.Write();
        File.WriteAllText(Path.Combine(folder, "vae_encoder", "model.onnx"), "version https://git-lfs.github.com/spec/v1\n");
        var log = new LinesLogger();
        using var pointer = DiffusionModels.Open(folder, "cpu", new DeviceOptions { Threads = 1 }, TimeProvider.System,
            log.For<OnnxModel>());
        Assert.False(pointer.Traits.ImageInput);
        Assert.Equal(
            "Model tiny: tiny/vae_encoder/model.onnx: is a Git LFS pointer, not the model itself; 'git lfs pull' fetches it. It generates "
                + "from text alone.", Assert.Single(log.All, line => line.Contains("vae_encoder")));
    }

    [Fact]
    public async Task An_encoder_of_another_latent_fails_the_edit_with_its_reason()
    {
        var folder = new OnnxFolderBuilder { Encoder = EncoderOutput.Mean }.Write();
        var other = new OnnxFolderBuilder { Encoder = EncoderOutput.Mean, VaeChannels = 3, Channels = 3, OutputChannels = 3 }.Write();
        File.Copy(Path.Combine(other, "vae_encoder", "model.onnx"), Path.Combine(folder, "vae_encoder", "model.onnx"), overwrite: true);
        await using var engine = await EngineUnderTest.StartAsync(OnnxModelTests.Open(folder));
        engine.Submit(Requests.Of("a") with { Input = Inputs.Of(1, Size, 0.6) });
        Assert.Equal(
            "tiny/vae_encoder/model.onnx: output 'latent_sample' has 3 channels; for latents of 4 it must have 4.",
            Assert.IsType<EngineEvent.Failed>(await engine.EndOf("a")).Message);
    }

    [Fact]
    public void Traits_and_defaults_of_a_folder_with_an_encoder_are_read()
    {
        using var scenes = Scenes();
        Assert.True(scenes.Traits.ImageInput);
        Assert.False(scenes.Traits.RequiresMask);
        using var inpainting = OnnxModelTests.Open(Variants["inpainting"].Write());
        Assert.True(inpainting.Traits.RequiresMask);
        using var flow = OnnxModelTests.Open(Variants["flow matching"].Write());
        Assert.Equal((3, 2), (flow.Traits.StepsOf(4, 0.6), scenes.Traits.StepsOf(4, 0.6)));
        using var said = OnnxModelTests.Open(new OnnxFolderBuilder
        {
            Encoder = EncoderOutput.Mean,
            ModelIndex = """{"_muse": {"defaults": {"strength": 0.35, "masked_strength": 0.85, "masked_sampler": "euler_a"}}}""",
        }.Write());
        Assert.Equal((0.35, 0.85), (said.Traits.DefaultStrength, said.Traits.DefaultMaskedStrength));
        var edit = Requests.Of("a") with { Input = Inputs.Of(1, Size, 0.5) };
        Assert.Equal("euler", said.Traits.SamplerOf(edit));
        edit = edit with { Input = edit.Input! with { Mask = Inputs.Square(Size, 8, 64) } };
        Assert.Equal(("euler_a", "heun"), (said.Traits.SamplerOf(edit), said.Traits.SamplerOf(edit with { Sampler = "heun" })));
        Assert.Contains("Sampler: Euler a", ImageParameters.Describe(edit, said.Traits));
    }

    [Fact]
    public async Task A_masked_edit_runs_with_the_folder_s_sampler_for_it()
    {
        string Folder(string index) => new OnnxFolderBuilder { Encoder = EncoderOutput.Mean, ModelIndex = index }.Write();
        var folder = Folder("""{"_muse": {"defaults": {"masked_sampler": "euler_a"}}}""");
        var edit = Requests.Of("a", steps: 4) with { Input = Inputs.Of(1, Size, 1, Inputs.Square(Size, 8, 100)) };
        var images = new List<byte[]>();
        foreach (var sampler in new[] { null, "euler_a", "euler" })
            images.Add(await Generate(OnnxModelTests.Open(folder), edit with { Sampler = sampler }));
        Assert.Equal(images[1], images[0]);
        Assert.NotEqual(images[2], images[0]);
    }

    [Fact]
    public void Weights_of_the_encoder_are_part_of_a_checkpoint_s_identity()
    {
        var folder = new OnnxFolderBuilder { Encoder = EncoderOutput.Mean }.Write();
        using var before = OnnxModelTests.Open(folder);
        File.AppendAllText(Path.Combine(folder, "vae_encoder", "config.json"), "{}");
        using var after = OnnxModelTests.Open(folder);
        Assert.NotEqual(before.Traits.Content, after.Traits.Content);
    }

    [Fact]
    public async Task The_safety_checker_sees_the_image_as_it_is_delivered()
    {
        var folder = new OnnxFolderBuilder { SafetyChecker = true, Encoder = EncoderOutput.Mean }.Write();
        using var checker = OnnxModelTests.Open(folder);
        var flags = new List<bool>();
        for (var seed = 0; seed < 12; seed++)
        {
            var input = Inputs.Of(seed, Size, 1, Inputs.Square(Size, 8, 16));
            await using var engine = await EngineUnderTest.StartAsync(OnnxModelTests.Open(folder));
            engine.Submit(Requests.Of("a", steps: 2, seed: 1) with { Input = input });
            var completed = Assert.IsType<EngineEvent.Completed>(await engine.EndOf("a"));
            if (completed.Flagged)
                Assert.All(completed.Image.Pixels, value => Assert.Equal(0, value));
            else
                Assert.False(checker.IsFlagged(completed.Image));
            flags.Add(completed.Flagged);
        }
        // One small square is generated, always the same; what differs is the input around it.
        Assert.Contains(true, flags);
        Assert.Contains(false, flags);
    }

    /// <summary>How well the built-in model's autoencoder alone gives an image back.</summary>
    [Fact]
    public async Task Nearly_no_strength_gives_the_image_back_as_well_as_the_autoencoder_can()
    {
        using var model = Scenes();
        var shape = model.GetLatentShape(Size, Size);
        string[] prompts = ["a large red star at night", "a yellow moon above a green tree"];
        foreach (var prompt in prompts)
        {
            var drawn = new RgbImage(Size, Size,
                await Generate(Scenes(), Requests.Of("a", prompt: prompt, guidance: 3, steps: 20, seed: 5)));
            var back = model.Decode(shape, [model.EncodeImage(shape, drawn, [], new SeededNoise(1))])[0];
            var autoencoder = Psnr(drawn.Pixels, back.Pixels);
            var edit = Requests.Of("a", prompt: prompt, guidance: 3, steps: 50, seed: 9) with
            {
                Input = new ImageInput { Image = drawn, Strength = 0.02 },
            };
            var edited = Psnr(drawn.Pixels, await Generate(Scenes(), edit));
            Assert.True(autoencoder > 34, $"{prompt}: the autoencoder gives {autoencoder:F1} dB.");
            Assert.True(edited > autoencoder - 2, $"{prompt}: {edited:F1} dB; the autoencoder alone gives {autoencoder:F1} dB.");
        }
    }

    [Fact]
    public async Task Edits_of_the_built_in_model_in_mixed_batches_are_those_alone_and_keep_what_the_masks_keep()
    {
        var drawn = new RgbImage(Size, Size,
            await Generate(Scenes(), Requests.Of("a", prompt: "a red star at night", guidance: 3, steps: 20, seed: 5)));
        string[] samplers = ["dpmpp_2m", "euler", "heun", "unipc", "euler_a", "pndm"];
        var edits = samplers.Select((sampler, i) =>
            Requests.Of($"edit {i}", prompt: "a blue star at night", guidance: 3, steps: 10 + i, sampler: sampler, seed: i) with
            {
                Input = new ImageInput
                {
                    Image = drawn,
                    Mask = i % 2 == 0 ? Inputs.Square(Size, 20 + i, 70 + 3 * i) : null,
                    Strength = i < 2 ? 1 : 0.3 + 0.1 * i,
                },
            }).ToList();
        var others = samplers.Select((sampler, i) =>
            Requests.Of($"text {i}", prompt: "two green trees", guidance: 3, steps: 5 + 2 * i, sampler: sampler));
        await using var engine = await EngineUnderTest.StartAsync(Scenes());
        foreach (var request in edits.Zip(others, (edit, other) => new[] { edit, other }).SelectMany(pair => pair))
            engine.Submit(request);
        foreach (var edit in edits)
        {
            var (together, alone) = (await engine.ImageOf(edit.Id), await Generate(Scenes(), edit));
            Assert.True(together.Zip(alone).All(p => Math.Abs(p.First - p.Second) <= 1), edit.Id);
            if (edit.Input!.Mask is null)
                continue;
            Assert.True(Inputs.Keeps(together, edit.Input), edit.Id);
            Assert.NotEqual(drawn.Pixels, together);
        }
    }

    static double Psnr(byte[] a, byte[] b) => 10 * Math.Log10(255 * 255 / a.Zip(b, (x, y) => Math.Pow(x - y, 2)).Average());

    sealed class Silence : INoiseSource
    {
        public void Fill(int evaluation, int start, Span<float> destination) => destination.Clear();
    }
}
