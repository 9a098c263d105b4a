using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Networks;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.ModelFolders;

/// <summary>A folder that can't be used is refused with one error that names the file and what is wrong with it.</summary>
public class RefusedFolderTests
{
    static readonly Dictionary<string, (OnnxFolderBuilder Folder, string Message)> Graphs = new()
    {
        ["unet for upscaling"] = (new() { Channels = 7 },
            "tiny/unet/model.onnx: input 'sample' has 7 channels and output 'out_sample' 4; models that take an image beside the latent "
                + "(upscaling, editing) are not supported."),
        ["unet for inpainting that config.json does not tell"] = (new() { Channels = 9 },
            "tiny/unet/model.onnx: input 'sample' has 9 channels and output 'out_sample' 4; unet/config.json is to say it as "
                + "'in_channels', as that of inpainting models does."),
        ["unet for inpainting without an image encoder"] = (new() { Channels = 9, UnetConfig = """{"in_channels": 9}""" },
            "tiny/vae_encoder/model.onnx: there is no such file, nor a model_fp16.onnx beside it."),
        ["unet of four channels whose config.json tells nine"] = (new() { UnetConfig = """{"in_channels": 9}""" },
            "tiny/unet/model.onnx: input 'sample' has 4 channels and output 'out_sample' 4; unet/config.json says that 5 are for a mask "
                + "and a masked image."),
        ["unet with a fixed batch"] = (new() { SampleShape = [2, 4, "height", "width"] },
            "tiny/unet/model.onnx: input 'sample' has a fixed batch of 2; Muse needs it to vary: export the model with dynamic axes."),
        ["unet of another number type"] = (new() { Real = TensorElementType.BFloat16 },
            "tiny/text_encoder/model.onnx: output 'last_hidden_state' has the type BFloat16; Muse can do Float, Float16."),
        ["unet with a flat sample"] = (new() { SampleShape = ["batch", 4, "height"] },
            "tiny/unet/model.onnx: ONNX Runtime can't load it: *"),
        ["unet with fixed timesteps"] = (new() { TimestepShape = [4] },
            "tiny/unet/model.onnx: input 'timestep' has a fixed length of 4; it must be 1, or vary."),
        ["unet with a truth value for a timestep"] = (new() { TimestepType = TensorElementType.Bool },
            "tiny/unet/model.onnx: input 'timestep' has the type Bool; Muse can do Int64, Int32, Float, Float16, Double."),
        ["unet with a timestep matrix"] = (new() { TimestepShape = ["batch", 1] },
            "tiny/unet/model.onnx: input 'timestep' has 2 dimensions; it must have 0 or 1."),
        ["unet with a ControlNet"] = (new() { ExtraInput = "mid_block_additional_residual" },
            "tiny/unet/model.onnx: takes an input 'mid_block_additional_residual' that Muse has nothing to give for; it gives sample, "
                + "timestep, encoder_hidden_states."),
        ["unet of another text width"] = (new() { UnetTextWidth = 24 },
            "tiny/unet/model.onnx: input 'encoder_hidden_states' is 24 wide, but the text encoders give 16."),
        ["unet of another number of tokens"] = (new() { Tokens = 60 },
            "tiny/unet/model.onnx: input 'encoder_hidden_states' has 60 tokens, but the text encoders give 77."),
        ["unet of another latent"] = (new() { VaeChannels = 16 },
            "tiny/unet/model.onnx: works on latents of 4 channels, but tiny/vae_decoder/model.onnx takes 16."),
        ["a refiner"] = (new() { Two = true, UnetTextWidth = 32, TimeIds = 5 },
            "tiny/unet/model.onnx: input 'time_ids' has 5 values a row; it must have 6 (SDXL's refiner has 5, and can't generate from "
                + "text alone)."),
        ["guidance of unknown length"] = (new() { GuidanceLength = "length" },
            "tiny/unet/model.onnx: input 'timestep_cond' does not say how long it is; unet/config.json is to say it as "
                + "'time_cond_proj_dim'."),
        ["text encoder with float ids"] = (new() { IdsType = TensorElementType.Float },
            "tiny/text_encoder/model.onnx: *"),
        ["text encoder with a fixed batch"] = (new() { IdsShape = [3, OnnxFolderBuilder.Context] },
            "tiny/text_encoder/model.onnx: input 'input_ids' has a fixed batch of 3; it must be 1 or vary."),
        ["text encoder of another length"] = (new() { IdsShape = ["batch", 1] },
            "tiny/text_encoder/model.onnx: input 'input_ids' takes 1 ids, but the tokenizer gives 77."),
        ["SDXL without hidden layers"] = (new() { Two = true, UnetTextWidth = 32, HiddenLayers = false },
            "tiny/text_encoder/model.onnx: has no outputs 'hidden_states.0', 'hidden_states.1', …, of which a model with two text "
                + "encoders needs the next-to-last; it has last_hidden_state, pooler_output."),
        ["SDXL without a pooled embedding"] = (new() { Two = true, UnetTextWidth = 32, TextEmbeds = false },
            "tiny/text_encoder_2/model.onnx: has no output 'text_embeds'; it has last_hidden_state, hidden_states.0, hidden_states.1, "
                + "hidden_states.2."),
        ["decoder of grey images"] = (new() { Colours = 1 },
            "tiny/vae_decoder/model.onnx: output 'sample' has 1 colours; it must have 3."),
        ["decoder that overflows"] = (new() { VaeRoots = true },
            "tiny/vae_decoder/model.onnx: gives values that are not numbers for a latent that is: it overflows, as some decoders do "
                + "in half precision."),
        ["decoder with a fixed batch"] = (new() { VaeBatch = 4 },
            "tiny/vae_decoder/model.onnx: input 'latent_sample' has a fixed batch of 4; it must be 1 or vary."),
    };

    static readonly Dictionary<string, (Action<string> Spoil, string Message)> Files = new()
    {
        ["no model_index.json"] = (Delete("model_index.json"), "tiny/model_index.json: there is no such file."),
        ["model_index.json is not JSON"] = (Write("model_index.json", "{"), "tiny/model_index.json: is not JSON: *"),
        ["model_index.json is a list"] = (Write("model_index.json", "[]"), "tiny/model_index.json: is not a JSON object."),
        ["wrong default"] =
            (Write("model_index.json", """{"_muse": {"defaults": {"steps": "many"}}}"""),
            "tiny/model_index.json: 'steps' is \"many\"; it must be a whole number from 1 to 1000."),
        ["guidance from nowhere"] =
            (Write("model_index.json", """{"_muse": {"defaults": {"guidance_max_timestep": -1}}}"""),
            "tiny/model_index.json: 'guidance_max_timestep' is -1; it must be a number from 0 to 1000."),
        ["default of no allowed size"] =
            (Write("model_index.json", """{"_muse": {"defaults": {"width": 100}}}"""),
            "tiny/model_index.json: the default size can't be generated: Width must be a multiple of 8 between 25 and 256; 100 was "
            + "requested."),
        ["no unet"] = (Delete("unet/model.onnx"), "tiny/unet/model.onnx: there is no such file, nor a model_fp16.onnx beside it."),
        ["no text encoder"] =
            (Delete("text_encoder/model.onnx"), "tiny/text_encoder/model.onnx: there is no such file, nor a model_fp16.onnx beside it."),
        ["no decoder"] =
            (Delete("vae_decoder/model.onnx"), "tiny/vae_decoder/model.onnx: there is no such file, nor a model_fp16.onnx beside it."),
        ["no vocabulary"] =
            (Delete("tokenizer/vocab.json"), "tiny/tokenizer/vocab.json: there is no such file, nor a tokenizer.json beside it."),
        ["no merges"] =
            (Delete("tokenizer/merges.txt"), "tiny/tokenizer/merges.txt: there is no such file, nor a tokenizer.json beside it."),
        ["vocabulary is not JSON"] = (Write("tokenizer/vocab.json", "{"), "tiny/tokenizer/vocab.json: is not JSON: *"),
        ["no schedule"] = (Delete("scheduler/scheduler_config.json"), "tiny/scheduler/scheduler_config.json: there is no such file."),
        ["unknown schedule"] =
            (Write("scheduler/scheduler_config.json", """{"_class_name": "KarrasVeScheduler"}"""),
            "tiny/scheduler/scheduler_config.json: *KarrasVeScheduler*"),
        ["Git LFS pointer"] =
            (Write("unet/model.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
            "tiny/unet/model.onnx: is a Git LFS pointer, not the model itself; 'git lfs pull' fetches it."),
        ["unet is no graph"] = (Write("unet/model.onnx", "not a graph"), "tiny/unet/model.onnx: ONNX Runtime can't load it: *"),
        ["a transformer without a graph"] =
            (Write("transformer/config.json", "{}"),
            "tiny/transformer/model.onnx: there is no such file, nor a model_fp16.onnx beside it."),
        ["a second tokenizer alone"] =
            (Write("tokenizer_2/vocab.json", "{}"), "tiny/text_encoder_2: there is no such folder, though there is a tokenizer_2."),
        ["wrong latent scale"] =
            (Write("vae_decoder/config.json", """{"scaling_factor": 0}"""),
            "tiny/vae_decoder/config.json: 'scaling_factor' is 0; it must be a number from 1E-06 to 1000000."),
        ["wrong number of levels"] =
            (Write("vae_decoder/config.json", """{"block_out_channels": [1, 1]}"""),
            "tiny/vae_decoder/model.onnx: gives 1×3×64×64 for a latent of 8×8; with the 2 pixels a cell of its config.json it should "
            + "be 1×3×16×16."),
        ["vocabulary larger than the encoder's"] =
            (Write("text_encoder/config.json", """{"vocab_size": 300}"""),
            "tiny/text_encoder/config.json: 'vocab_size' is 300, but tiny/tokenizer has ids up to 513."),
    };

    public static TheoryData<string> GraphCases => new(Graphs.Keys);

    public static TheoryData<string> FileCases => new(Files.Keys);

    [Theory]
    [MemberData(nameof(GraphCases))]
    public void A_graph_that_does_not_fit_is_named(string wrong)
    {
        var (folder, message) = Graphs[wrong];
        AssertRefused(folder.Write(), message);
    }

    [Theory]
    [MemberData(nameof(FileCases))]
    public void A_file_that_is_missing_or_wrong_is_named(string wrong)
    {
        var (spoil, message) = Files[wrong];
        var folder = new OnnxFolderBuilder().Write();
        spoil(folder);
        AssertRefused(folder, message);
    }

    [Fact]
    public void A_missing_file_of_weights_is_named()
    {
        var folder = new OnnxFolderBuilder { ExternalData = true }.Write();
        File.Delete(Path.Combine(folder, "unet", "model.onnx_data"));
        AssertRefused(folder, "tiny/unet/model.onnx: ONNX Runtime can't load it: *model.onnx_data*");
    }

    [Fact]
    public void An_SDXL_denoiser_needs_a_second_text_encoder()
    {
        var folder = new OnnxFolderBuilder { Two = true, UnetTextWidth = 16 }.Write();
        Directory.Delete(Path.Combine(folder, "text_encoder_2"), recursive: true);
        Directory.Delete(Path.Combine(folder, "tokenizer_2"), recursive: true);
        AssertRefused(folder,
            "tiny/unet/model.onnx: takes 'text_embeds', which a second text encoder gives; the folder has no text_encoder_2.");
    }

    [Fact]
    public void A_second_text_encoder_needs_a_denoiser_that_takes_it()
    {
        var folder = new OnnxFolderBuilder { Two = true, UnetTextWidth = 32 }.Write();
        var other = new OnnxFolderBuilder { UnetTextWidth = 32 }.Write();
        File.Copy(Path.Combine(other, "unet", "model.onnx"), Path.Combine(folder, "unet", "model.onnx"), overwrite: true);
        AssertRefused(folder, "tiny/unet/model.onnx: does not take 'text_embeds', but the folder has a text_encoder_2 to give it.");
    }

    [Fact]
    public void A_folder_that_is_not_there_is_named()
    {
        var folder = Path.Combine(Path.GetTempPath(), "muse-no-such-model");
        AssertRefused(folder, $"{folder}: there is no such folder; MUSE_MODEL is to name one with a model_index.json.");
    }

    // A star in the expected message stands for what ONNX Runtime or another library says.
    static void AssertRefused(string folder, string expected)
    {
        var refused = Assert.Throws<ModelFolderException>(() => OnnxModelTests.Open(folder).Dispose());
        var at = 0;
        foreach (var part in expected.Split('*'))
        {
            var found = refused.Message.IndexOf(part, at, StringComparison.Ordinal);
            Assert.True(found >= 0 && (at > 0 || found == 0), $"Expected: {expected}\nActual:   {refused.Message}");
            at = found + part.Length;
        }
        if (!expected.EndsWith('*'))
            Assert.Equal(expected, refused.Message);
    }

    static Action<string> Delete(string name) => folder => File.Delete(Path.Combine(folder, name));

    static Action<string> Write(string name, string text) => folder => OnnxFolderBuilder.WriteText(folder, name, text);
}
