using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Diffusion.Onnx;
using Muse.Tests.Autoscaler;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.Networks;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.Families;

/// <summary>
/// Stable Diffusion 3 and FLUX over toy graphs of their exports' inputs, whose image is known by arithmetic. Real weights are not run here.
/// </summary>
public class TransformerFamilyTests
{
    const string Shifted = """{ "_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0 }""";
    const string Unshifted = """{ "_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 1.0, "use_dynamic_shifting": false }""";
    // Made for images as small as those of these tests: 4 tokens are 32×32 pixels.
    const string Dynamic = """
        { "_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "use_dynamic_shifting": true, "base_shift": 0.5,
          "max_shift": 1.15, "base_image_seq_len": 4, "max_image_seq_len": 64 }
        """;

    static readonly Dictionary<string, TransformerFolderBuilder> Folders = new()
    {
        ["SD3"] = new() { Scheduler = Shifted },
        ["SD3 without T5"] = new() { Scheduler = Shifted, HasT5 = false },
        ["SD3, dynamic shift"] = new() { Scheduler = Dynamic },
        ["SD3, one timestep for all"] = new() { Scheduler = Shifted, TimestepShape = [1] },
        ["SD3, another name of the output, fixed tokens"] = new() { Scheduler = Shifted, Output = "out_sample", Tokens = 77 + 256 },
        ["SD3 in half precision"] = new() { Scheduler = Shifted, Real = TensorElementType.Float16 },
        ["FLUX dev"] = new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true },
        ["FLUX dev, positions as floats"] =
            new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true, PositionType = TensorElementType.Float },
        ["FLUX dev, positions with a batch axis"] =
            new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true, PositionsHaveBatch = true },
        ["FLUX dev, positions as floats with a batch axis"] = new()
        {
            Scheduler = Dynamic,
            IsFlux = true,
            IsGuided = true,
            PositionsHaveBatch = true,
            PositionType = TensorElementType.Float,
        },
        ["FLUX dev, one timestep for all"] = new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true, TimestepShape = [1] },
        ["FLUX dev, a timestep without dimensions"] = new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true, TimestepShape = [] },
        ["FLUX dev in the folder unet"] = new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true, Part = "unet", Class = "Any" },
        ["FLUX schnell"] = new() { Scheduler = Unshifted, IsFlux = true },
        ["FLUX schnell in half precision"] =
            new() { Scheduler = Unshifted, IsFlux = true, Real = TensorElementType.Float16, TimestepType = TensorElementType.Float16 },
    };

    public static TheoryData<string> Cases => new(Folders.Keys);

    /// <summary>Requests of different steps, sizes, prompts and guidance, with and without an image to start from.</summary>
    static readonly GenerationRequest[] Mixed =
    [
        Requests.Of("a", "a cat", steps: 4, guidance: 3, size: 64, seed: 1),
        Requests.Of("b", "a small dog on a sofa", steps: 7, guidance: 1, size: 64, seed: 2) with { NegativePrompt = "rain" },
        Requests.Of("c", "rain", steps: 1, guidance: 2, size: 64, seed: 3) with { NegativePrompt = "sun" },
        Requests.Of("d", "a cat", steps: 5, guidance: 3, size: 64, seed: 4) with { Height = 32 },
        Requests.Of("e", "a red fox", steps: 6, guidance: 2, size: 64, seed: 5) with { Input = Inputs.Of(1, 64, 0.5) },
        Requests.Of("f", "a cat", steps: 4, guidance: 1, size: 64, seed: 6) with { Input = Inputs.Of(2, 64, 0.3) },
    ];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task In_a_mixed_batch_each_image_is_that_of_the_arithmetic(string name)
    {
        var builder = Folders[name];
        var isHalf = builder.Real == TensorElementType.Float16;
        await using var engine = await EngineUnderTest.StartAsync(OnnxModelTests.Open(builder.Write()));
        foreach (var request in Mixed)
            engine.Submit(request);
        foreach (var request in Mixed)
        {
            var image = await engine.ImageOf(request.Id);
            var expected = ToyArithmetic.ImageOf(builder, request, Sigmas(builder, request));
            Assert.True(expected.Distinct().Count() > 20, "The image is nearly plain.");
            var farthest = expected.Zip(image).Max(pixel => Math.Abs(pixel.First - pixel.Second));
            Assert.True(farthest <= (isHalf ? 3 : 1), $"{name}, {request.Id}: a pixel is {farthest} away");
        }
    }

    [Fact]
    public async Task What_the_mask_keeps_stays()
    {
        await using var engine = await EngineUnderTest.StartAsync(OnnxModelTests.Open(Folders["FLUX dev"].Write()));
        var input = Inputs.Of(1, 64, 0.8, Inputs.Square(64, 16, 48));
        engine.Submit(Requests.Of("a", "a cat", steps: 4, size: 64) with { Input = input });
        var image = await engine.ImageOf("a");
        Assert.True(Inputs.Keeps(image, input));
        Assert.NotEqual(input.Image.Pixels, image);
    }

    [Theory]
    [InlineData("SD3", 28, 7f)]
    [InlineData("FLUX dev", 28, 3.5f)]
    [InlineData("FLUX schnell", 4, 1f)]
    public void Defaults_are_those_of_the_pipelines(string name, int steps, float guidance)
    {
        using var model = OnnxModelTests.Open(Folders[name].Write());
        var traits = model.Traits;
        Assert.Equal((steps, guidance, 16), (traits.DefaultSteps, traits.DefaultGuidanceScale, traits.SizeMultiple));
        Assert.Equal(["flow_euler"], traits.Samplers);
        Assert.Equal(name != "SD3", model.GuidanceEmbedded);
        Assert.True(traits.ImageInput);
    }

    [Theory]
    [InlineData("SD3")]
    [InlineData("FLUX dev")]
    public void A_folder_that_does_not_say_its_size_has_that_of_its_family(string name)
    {
        var folder = Folders[name].Write();
        OnnxFolderBuilder.WriteText(folder, "transformer/config.json", "{}");
        using var model = OnnxModelTests.Open(folder);
        Assert.Equal((1024, 1024), (model.Traits.DefaultWidth, model.Traits.DefaultHeight));
    }

    [Fact]
    public void A_simulated_device_takes_sizes_and_defaults_from_the_folder_without_a_graph()
    {
        foreach (var (name, steps) in new[] { ("SD3", 28), ("FLUX dev", 28), ("FLUX schnell", 4) })
        {
            using var model = DiffusionModels.Open(Folders[name].Write(), "simulated:base=1ms,picture=1ms", new DeviceOptions(),
                TimeProvider.System, NullLogger.Instance);
            Assert.Equal((steps, 16), (model.Traits.DefaultSteps, model.Traits.SizeMultiple));
        }
    }

    [Theory]
    [InlineData("SD3", 256)]
    [InlineData("FLUX dev", 512)]
    [InlineData("FLUX schnell", 256)]
    public void T5_reads_so_many_tokens_and_the_rest_is_cut_off(string name, int tokens)
    {
        using var model = OnnxModelTests.Open(Folders[name].Write());
        // Two tokens a word, and the end.
        var words = Enumerable.Repeat("a", (tokens - 1) / 2);
        Assert.Null(model.Encode(string.Join(' ', words)).CutOff);
        Assert.Equal("b", model.Encode(string.Join(' ', [.. words, "b"])).CutOff?.Trim());
    }

    [Fact]
    public void Without_T5_a_prompt_ends_where_CLIP_s_does()
    {
        using var model = OnnxModelTests.Open(Folders["SD3 without T5"].Write());
        Assert.Null(model.Encode(string.Join(' ', Enumerable.Repeat("a", 75))).CutOff);
        Assert.Equal("b", model.Encode(string.Join(' ', [.. Enumerable.Repeat("a", 75), "b"])).CutOff);
    }

    [Theory]
    [InlineData("SD3", new string[0])]
    [InlineData("SD3 without T5",
        new[] { "Model tiny: there is no text_encoder_3; prompts are read by the CLIP text encoders alone, up to 77 tokens." })]
    [InlineData("FLUX dev", new[] { "Model tiny: the guidance scale is an input of the denoiser; negative prompts have no effect." })]
    [InlineData("FLUX schnell",
        new[] { "Model tiny: guidance is distilled into the denoiser; the guidance scale and negative prompts have no effect." })]
    public void What_has_no_effect_is_said_at_the_start(string name, string[] warnings)
    {
        var log = new LinesLogger();
        using var model = DiffusionModels.Open(Folders[name].Write(), "cpu", new DeviceOptions { Threads = 1 }, TimeProvider.System,
            log.For<DiffusionEngine>());
        Assert.Equal(warnings, log.All.Where(line => line.StartsWith("Model ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_folder_with_T5_runs_without_it_where_the_device_is_to_have_none()
    {
        var options = new DeviceOptions { Threads = 1, T5 = T5Placement.None };
        var model = DiffusionModels.Open(Folders["SD3"].Write(), "cpu", options, TimeProvider.System, NullLogger.Instance);
        await using var engine = await EngineUnderTest.StartAsync(model);
        var withoutT5 = Folders["SD3 without T5"];
        foreach (var request in Mixed)
        {
            engine.Submit(request);
            var pixels = ToyArithmetic.ImageOf(withoutT5, request, Sigmas(withoutT5, request)).Zip(await engine.ImageOf(request.Id));
            Assert.True(pixels.Max(pixel => Math.Abs(pixel.First - pixel.Second)) <= 1, request.Id);
        }
    }

    [Fact]
    public void A_family_that_needs_T5_is_refused_without_it()
    {
        var options = new DeviceOptions { Threads = 1, T5 = T5Placement.None };
        var folder = Folders["FLUX dev"].Write();
        Assert.Equal(
            "tiny/text_encoder_2: Device:T5 is None, and this kind of model can't do without T5; it can be Device or Cpu.",
            Assert.Throws<ModelFolderException>(() =>
                DiffusionModels.Open(folder, "cpu", options, TimeProvider.System, NullLogger.Instance)).Message);
    }

    [Fact]
    public void T5_may_run_on_another_device_than_the_rest_and_the_memory_of_both_is_logged()
    {
        var folder = ModelFolder.Open(Folders["FLUX dev"].Write());
        var cpu = ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance);
        var log = new LinesLogger();
        using var model = OnnxModel.Open(folder, cpu with { Name = "the device" }, cpu with { Name = "the CPU" }, decodeTile: null,
            log.For<DiffusionEngine>());
        Assert.Equal("text_encoder_2", folder.T5Encoder);
        foreach (var device in new[] { "the CPU", "the device" })
        {
            var start = $"tiny needs about 0 MB of memory on {device}; free: ";
            Assert.Contains(log.All, line => line.StartsWith(start, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_setting_for_T5_without_effect_is_logged()
    {
        var log = new LinesLogger();
        using var model = DiffusionModels.Open(Folders["SD3 without T5"].Write(), "cpu",
            new DeviceOptions { Threads = 1, T5 = T5Placement.Cpu }, TimeProvider.System, log.For<DiffusionEngine>());
        Assert.Contains("Model tiny: Device:T5 is Cpu, but none of its text encoders is known to be T5.", log.All);
    }

    [Fact]
    public void The_size_of_a_part_is_that_of_its_graph_and_of_its_weights()
    {
        var path = Folders["SD3"].Write();
        (string Name, int Bytes)[] files =
        [
            ("model.onnx", 100), ("model.onnx_data", 2000), ("onnx__MatMul_7", 30_000),
            ("model_fp16.onnx", 7), ("model_fp16.onnx.data", 80), ("config.json", 2),
        ];
        foreach (var (name, bytes) in files)
            File.WriteAllBytes(Path.Combine(path, "transformer", name), new byte[bytes]);
        File.WriteAllText(Path.Combine(path, "transformer", "config.json"), "{}");
        var folder = ModelFolder.Open(path);
        Assert.Equal(32_100, folder.GraphBytes("transformer", onHost: true));
        Assert.Equal(30_087, folder.GraphBytes("transformer", onHost: false));
        Assert.Equal(0, folder.GraphBytes("scheduler", onHost: true));
        File.Delete(Path.Combine(path, "transformer", "model.onnx"));
        Assert.Equal(30_087, folder.GraphBytes("transformer", onHost: true));
    }

    [Theory]
    [InlineData("model.onnx")]
    [InlineData("model_fp16.onnx")]
    public void Weights_in_half_precision_count_twice_on_the_host_whatever_the_files_name_is(string name)
    {
        var path = Folders["SD3"].Write();
        var graph = Path.Combine(path, "transformer", name);
        File.Delete(Path.Combine(path, "transformer", "model.onnx"));
        var weights = new GraphProto
        {
            Initializer =
            {
                new TensorProto { DataType = 10, Dims = { 20, 50 }, RawData = ByteString.CopyFrom(new byte[2000]) },
                new TensorProto { DataType = 1, Dims = { 100 }, RawData = ByteString.CopyFrom(new byte[400]) },
            },
        };
        File.WriteAllBytes(graph, new ModelProto { Graph = weights }.ToByteArray());
        var size = new FileInfo(graph).Length;
        var folder = ModelFolder.Open(path);
        Assert.Equal(size, folder.GraphBytes("transformer", onHost: false));
        Assert.Equal(size + 2000, folder.GraphBytes("transformer", onHost: true));
    }

    static readonly Dictionary<string, (TransformerFolderBuilder Folder, string Message)> Refused = new()
    {
        ["FLUX Kontext"] = (new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true, Class = "FluxKontextPipeline" },
            "tiny/model_index.json: FLUX Kontext is not supported: its denoiser takes an image beside the latent."),
        ["FLUX.2"] = (new() { Scheduler = Dynamic, Class = "Flux2Pipeline" },
            "tiny/model_index.json: FLUX.2 is not supported: its text encoder is a language model."),
        ["PixArt"] = (new() { Scheduler = Shifted, Class = "PixArtSigmaPipeline" },
            "tiny/model_index.json: PixArt is not supported: its denoiser takes a mask of the text's tokens."),
        ["Qwen-Image"] = (new() { Scheduler = Shifted, Class = "QwenImagePipeline" },
            "tiny/model_index.json: Qwen-Image is not supported: its text encoder is a language model."),
        ["Sana, as Optimum names it"] = (new() { Scheduler = Shifted, Class = "ORTSanaPipeline" },
            "tiny/model_index.json: Sana is not supported: its text encoder is a language model."),
        ["FLUX Fill"] = (new() { Scheduler = Dynamic, IsFlux = true, IsGuided = true, ExtraChannels = 16 },
            "tiny/transformer/model.onnx: input 'hidden_states' has 128 channels and output 'out_hidden_states' 64; models that take an "
                + "image beside the latent (upscaling, editing) are not supported."),
        ["SD3 in bfloat16"] = (new() { Scheduler = Shifted, Real = TensorElementType.BFloat16 },
            "tiny/transformer/model.onnx: input 'hidden_states' has the type BFloat16; Muse can do Float, Float16."),
        ["FLUX in bfloat16"] = (new() { Scheduler = Dynamic, IsFlux = true, Real = TensorElementType.BFloat16 },
            "tiny/transformer/model.onnx: input 'hidden_states' has the type BFloat16; Muse can do Float, Float16."),
        ["FLUX with a whole timestep"] = (new() { Scheduler = Dynamic, IsFlux = true, TimestepType = TensorElementType.Int64 },
            "tiny/transformer/model.onnx: input 'timestep' has the type Int64; Muse can do Float, Float16, Double."),
        ["a scheduler of noise"] = (new() { Scheduler = """{ "_class_name": "EulerDiscreteScheduler" }""" },
            "tiny/scheduler/scheduler_config.json: the model predicts a flow, but EulerDiscreteScheduler samples noise; it must be "
                + "FlowMatchEulerDiscreteScheduler."),
        ["SD3 without hidden layers"] = (new() { Scheduler = Shifted, HiddenLayers = false },
            "tiny/text_encoder/model.onnx: has no outputs 'hidden_states.0', 'hidden_states.1', …, of which a model with two text "
                + "encoders needs the next-to-last; it has last_hidden_state, text_embeds."),
        ["SD3 with no tokens for T5"] = (new() { Scheduler = Shifted, Tokens = 77 },
            "tiny/transformer: the denoiser takes 77 tokens; it must be more than the 77 of CLIP."),
    };

    public static TheoryData<string> RefusedCases => new(Refused.Keys);

    [Theory]
    [MemberData(nameof(RefusedCases))]
    public void What_is_not_supported_is_said_in_a_sentence(string name)
    {
        var (builder, message) = Refused[name];
        var error = Assert.Throws<ModelFolderException>(() => OnnxModelTests.Open(builder.Write()).Dispose());
        Assert.Equal(message, error.Message);
    }

    [Fact]
    public void Another_transformer_is_refused()
    {
        var folder = new OnnxFolderBuilder().Write();
        Directory.Move(Path.Combine(folder, "unet"), Path.Combine(folder, "transformer"));
        Assert.Equal(
            "tiny/transformer: the denoiser is a transformer that Muse does not know; it runs those of Stable Diffusion 3 and FLUX.1.",
            Assert.Throws<ModelFolderException>(() => OnnxModelTests.Open(folder).Dispose()).Message);
    }

    // The schedules of the two pipelines, worked out once more.
    static double[] Sigmas(TransformerFolderBuilder builder, GenerationRequest request)
    {
        var steps = request.Steps;
        var shift = 1.0;
        if (builder.Scheduler == Shifted)
            shift = 3;
        else if (builder.Scheduler == Dynamic)
            shift = Math.Exp(0.5 + (request.Width / 16 * (request.Height / 16) - 4) * (1.15 - 0.5) / (64 - 4));
        // Stable Diffusion 3's scheduler makes its own range, which ends at a level that a fixed shift has shifted already.
        var least = builder.Scheduler == Dynamic ? 0.001 : Shift(0.001);
        var even = Enumerable.Range(0, steps).Select(i => builder.IsFlux ? 1 - (double)i / steps
            : steps == 1 ? 1 : 1 + (least - 1) * i / (steps - 1));
        return [.. even.Select(Shift), 0];

        double Shift(double sigma) => shift * sigma / (1 + (shift - 1) * sigma);
    }
}
