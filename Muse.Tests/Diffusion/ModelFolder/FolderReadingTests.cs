using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Networks;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.ModelFolders;

/// <summary>What folders say in other ways than the usual.</summary>
public class FolderReadingTests
{
    static IDiffusionModel Open(OnnxFolderBuilder builder, params (string Name, string Text)[] files)
    {
        var folder = builder.Write();
        foreach (var (name, text) in files)
            OnnxFolderBuilder.WriteText(folder, name, text);
        return OnnxModelTests.Open(folder);
    }

    static ModelFamily Family(OnnxFolderBuilder builder, params (string Name, string Text)[] files)
    {
        var folder = builder.Write();
        foreach (var (name, text) in files)
            OnnxFolderBuilder.WriteText(folder, name, text);
        return ModelFamilies.Of(Muse.Diffusion.ModelFolder.Open(folder), [], ModelFamilies.All);
    }

    static string Refused(OnnxFolderBuilder builder, params (string Name, string Text)[] files) =>
        Assert.Throws<ModelFolderException>(() => Open(builder, files).Dispose()).Message;

    public static TheoryData<string> JsonFiles { get; } = new(
        "model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "vae_decoder/config.json", "tokenizer/vocab.json",
        "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json", "tokenizer/added_tokens.json", "tokenizer/merges.txt",
        "text_encoder/config.json", "feature_extractor/preprocessor_config.json");

    [Theory]
    [MemberData(nameof(JsonFiles))]
    public void A_byte_order_mark_is_ignored(string name)
    {
        var folder = new OnnxFolderBuilder { SafetyChecker = true }.Write();
        var path = Path.Combine(folder, name);
        var text = File.Exists(path) ? File.ReadAllText(path) : "{}";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.Equal(0xEF, File.ReadAllBytes(path)[0]);
        OnnxModelTests.Open(folder).Dispose();
    }

    [Theory]
    [InlineData("[16, 16]", 128, 128)]
    [InlineData("[8, 16]", 128, 64)]
    [InlineData("16.0", 128, 128)]
    [InlineData("\"16\"", 128, 128)]
    public void A_sample_size_is_a_side_or_height_and_width(string size, int width, int height)
    {
        using var model = Open(new() { UnetConfig = $$"""{"sample_size": {{size}}}""" });
        Assert.Equal((width, height), (model.Traits.DefaultWidth, model.Traits.DefaultHeight));
    }

    [Theory]
    [InlineData("[16]", "tiny/unet/config.json: 'sample_size' is [16]; it must be a list of 2 numbers from 1 to 4096.")]
    [InlineData("[16, \"wide\"]", "tiny/unet/config.json: 'sample_size' is [16, \"wide\"]; it must be a list of 2 numbers from 1 to 4096.")]
    [InlineData("{}", "tiny/unet/config.json: 'sample_size' is {}; it must be a whole number from 1 to 4096.")]
    public void A_sample_size_that_is_none_is_refused(string size, string message) =>
        Assert.Equal(message, Refused(new() { UnetConfig = $$"""{"sample_size": {{size}}}""" }));

    [Theory]
    [InlineData("[1, 2, 3, 4]", 64)]
    [InlineData("[1, 2]", 16)]
    [InlineData("[1]", 8)]
    public void Sizes_are_multiples_of_what_the_UNet_halves_evenly(string levels, int multiple)
    {
        using var model = Open(new() { UnetConfig = $$"""{"sample_size": 16, "block_out_channels": {{levels}}}""" });
        Assert.Equal(multiple, model.Traits.SizeMultiple);
    }

    [Fact]
    public void A_multiple_that_the_folder_asks_for_is_widened_to_one_that_the_UNet_can_run()
    {
        using var model = Open(new()
        {
            ModelIndex = """{"_muse": {"sizes": {"multiple": 24}}}""",
            UnetConfig = """{"sample_size": 24, "block_out_channels": [1, 2, 3, 4]}""",
        });
        Assert.Equal(192, model.Traits.SizeMultiple);
    }

    [Fact]
    public void A_graph_of_one_size_that_is_not_square_has_that_width_and_that_height()
    {
        using var model = Open(new() { SampleShape = ["batch", 4, 8, 16] });
        Assert.Equal((128, 64), (model.Traits.DefaultWidth, model.Traits.DefaultHeight));
        var request = Engine.Requests.Of("a") with { Width = 128, Height = 64 };
        Assert.Null(model.Traits.Check(request));
        Assert.Equal((nameof(request.Height), "Height must be 64; 128 was requested."), model.Traits.Check(request with { Height = 128 }));
        Assert.Equal((nameof(request.Width), "Width must be 128; 64 was requested."), model.Traits.Check(request with { Width = 64 }));
    }

    [Fact]
    public void Latents_are_brought_to_the_mean_and_deviation_of_the_decoder_s_channels()
    {
        const string Plain = """{"scaling_factor": 0.5, "block_out_channels": [1, 1, 1, 1]}""";
        const string Normalised = """
            {
              "scaling_factor": 0.5,
              "block_out_channels": [1, 1, 1, 1],
              "latents_mean": [0.1, -0.2, 0.3, 0.4],
              "latents_std": [2, 0.5, 1.5, 1]
            }
            """;
        using var plain = Open(new(), ("vae_decoder/config.json", Plain));
        using var normalised = Open(new(), ("vae_decoder/config.json", Normalised));
        var shape = plain.GetLatentShape(64, 64);
        var latent = new float[shape.Length];
        new SeededNoise(1).Fill(0, 0, latent);
        // The plain decoder divides by the scale; so it is given what the other's channels become.
        float[] mean = [0.1f, -0.2f, 0.3f, 0.4f], deviation = [2, 0.5f, 1.5f, 1];
        var cells = shape.Width * shape.Height;
        var prepared = latent.Select((value, i) => 0.5f * (value / 0.5f * deviation[i / cells] + mean[i / cells])).ToArray();
        Assert.Equal(plain.Decode(shape, [prepared])[0].Pixels.Select(p => (int)p), normalised.Decode(shape, [latent])[0]
            .Pixels.Select(p => (int)p), (a, b) => Math.Abs(a - b) <= 1);
        Assert.NotEqual(plain.Decode(shape, [latent])[0].Pixels, normalised.Decode(shape, [latent])[0].Pixels);
    }

    [Fact]
    public void Means_for_another_number_of_channels_are_refused() =>
        Assert.Equal(
            "tiny/vae_decoder/model.onnx: has latents of 4 channels, but 'latents_mean' and 'latents_std' have 3 numbers.",
            Refused(new(), ("vae_decoder/config.json",
                """{"block_out_channels": [1, 1, 1, 1], "latents_mean": [0, 0, 0], "latents_std": [1, 1, 1]}""")));

    [Theory]
    [InlineData(true, "model.onnx")]
    [InlineData(false, "model_fp16.onnx")]
    public void A_decoder_that_needs_single_precision_gets_it_on_a_GPU_where_both_are_there(bool upcast, string taken)
    {
        var folder = new OnnxFolderBuilder().Write();
        OnnxFolderBuilder.WriteText(folder, "vae_decoder/config.json",
            $$"""{"block_out_channels": [1, 1, 1, 1], "force_upcast": {{(upcast ? "true" : "false")}}}""");
        var decoder = Path.Combine(folder, "vae_decoder");
        File.Copy(Path.Combine(decoder, "model.onnx"), Path.Combine(decoder, "model_fp16.onnx"));
        var other = taken == "model.onnx" ? "model_fp16.onnx" : "model.onnx";
        File.WriteAllText(Path.Combine(decoder, other), "not a graph");
        var gpu = ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance) with { OnHost = false };
        OnnxModel.Open(folder, gpu, NullLogger.Instance).Dispose();
    }

    [Fact]
    public void Numbers_that_are_strings_are_read()
    {
        var family = Family(
            new(),
            ("vae_decoder/config.json", """{"scaling_factor": "0.25", "block_out_channels": [1, 1, 1, 1]}"""),
            ("scheduler/scheduler_config.json",
                """{"_class_name": "EulerDiscreteScheduler", "beta_start": "0.001", "num_train_timesteps": "500"}"""));
        Assert.Equal((0.25f, 0.001, 500), (family.Latents.Scale, family.Scheduler.BetaStart, family.Scheduler.TrainTimesteps));
    }

    [Theory]
    [InlineData("""{"image_mean": [0.5, 0.5]}""", "'image_mean' is [0.5, 0.5]; it must be a list of 3 numbers from -1000 to 1000.")]
    [InlineData("""{"image_mean": ["a", 0, 0]}""", "'image_mean' is [\"a\", 0, 0]; it must be a list of 3 numbers from -1000 to 1000.")]
    [InlineData("""{"image_std": 1}""", "'image_std' is 1; it must be a list of 3 numbers from 1E-06 to 1000.")]
    [InlineData("""{"image_std": [0, 1, 1]}""", "'image_std' is [0, 1, 1]; it must be a list of 3 numbers from 1E-06 to 1000.")]
    public void A_preprocessor_that_can_not_be_is_refused_in_a_sentence(string config, string problem) =>
        Assert.Equal(
            "tiny/feature_extractor/preprocessor_config.json: " + problem,
            Refused(new() { SafetyChecker = true }, ("feature_extractor/preprocessor_config.json", config)));

    [Theory]
    [InlineData("unet/config.json", """{"block_out_channels": 4}""",
        "tiny/unet/config.json: 'block_out_channels' is 4; it must be a list.")]
    [InlineData("vae_decoder/config.json", """{"scaling_factor": "large"}""",
        "tiny/vae_decoder/config.json: 'scaling_factor' is \"large\"; it must be a number from 1E-06 to 1000000.")]
    [InlineData("vae_decoder/config.json", """{"latents_mean": [[1]]}""",
        "tiny/vae_decoder/config.json: 'latents_mean' is [[1]]; it must be a list of numbers from -1000000 to 1000000.")]
    [InlineData("vae_decoder/config.json", """{"force_upcast": 1}""",
        "tiny/vae_decoder/config.json: 'force_upcast' is 1; it must be true or false.")]
    public void A_value_of_another_kind_is_refused_in_a_sentence(string name, string text, string message) =>
        Assert.Equal(message, Refused(new(), (name, text)));

    [Fact]
    public void SDXL_s_defaults_are_its_own()
    {
        var xl = new OnnxFolderBuilder { Two = true, UnetTextWidth = 32 };
        Assert.Equal(0.13025f, Family(xl, ("vae_decoder/config.json", "{}")).Latents.Scale);
        Assert.Equal(0.18215f, Family(new(), ("vae_decoder/config.json", "{}")).Latents.Scale);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("true", true)]
    [InlineData("false", false)]
    public void An_absent_negative_prompt_is_zeros_for_SDXL_unless_its_folder_says_otherwise(string? flag, bool zeros)
    {
        using var model = Open(new()
        {
            Two = true,
            UnetTextWidth = 32,
            ModelIndex = flag is null ? "{}" : $$"""{"force_zeros_for_empty_prompt": {{flag}}}""",
        });
        var (absent, empty) = (model.Encode(null), model.Encode(""));
        Assert.Equal(["encoder_hidden_states", "text_embeds"], absent.Tensors.Select(tensor => tensor.Name));
        foreach (var (one, other) in absent.Tensors.Zip(empty.Tensors))
        {
            Assert.Contains(other.Values, value => value != 0);
            Assert.Equal(zeros ? new float[other.Values.Length] : other.Values, one.Values);
        }
    }

    [Fact]
    public void An_absent_negative_prompt_is_an_empty_one_for_Stable_Diffusion()
    {
        using var model = Open(new());
        Assert.Equal(model.Encode("").Tensors[0].Values, model.Encode(null).Tensors[0].Values);
    }

    [Theory]
    [InlineData(32, "LCMScheduler", 8.5f, 4)]
    [InlineData(null, "LCMScheduler", 1f, 4)]
    [InlineData(null, "EulerDiscreteScheduler", 7.5f, 20)]
    public void Guidance_that_is_distilled_has_the_default_of_its_pipeline(int? length, string scheduler, float scale, int steps)
    {
        using var model = Open(new() { Scheduler = scheduler, GuidanceLength = length });
        Assert.Equal((scale, steps, length is not null),
            (model.Traits.DefaultGuidanceScale, model.Traits.DefaultSteps, model.GuidanceEmbedded));
    }
}
