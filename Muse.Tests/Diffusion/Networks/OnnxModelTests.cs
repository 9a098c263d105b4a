using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Networks;

public class OnnxModelTests
{
    internal static IDiffusionModel Open(string folder) =>
        DiffusionModels.Open(folder, "cpu", new DeviceOptions { Threads = 1 }, TimeProvider.System, NullLogger.Instance);

    static async Task<EngineEvent.Completed> GenerateAsync(IDiffusionModel model, GenerationRequest request)
    {
        await using var engine = await EngineUnderTest.StartAsync(model);
        engine.Submit(request);
        return Assert.IsType<EngineEvent.Completed>(await engine.EndOf(request.Id));
    }

    public static TheoryData<string> Layouts => new(Variants.Keys);

    static readonly Dictionary<string, OnnxFolderBuilder> Variants = new()
    {
        ["Stable Diffusion 1.5"] = new(),
        ["ids of 64 bits"] = new() { IdsType = TensorElementType.Int64 },
        ["one row of ids"] = new() { IdsShape = [1, OnnxFolderBuilder.Context] },
        ["Stable Diffusion 2, v-prediction"] =
            new() { PredictionType = "v_prediction", Scheduler = "DDIMScheduler", TextWidth = 24, UnetTextWidth = 24 },
        ["SDXL, two text encoders"] =
            new()
            {
                Two = true,
                UnetTextWidth = 32,
                ModelIndex = """{"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": true}"""
            },
        ["latent consistency"] = new() { Scheduler = "LCMScheduler", GuidanceLength = 32 },
        ["latent consistency, length told by config.json"] =
            new()
            {
                Scheduler = "LCMScheduler",
                GuidanceLength = "length",
                UnetConfig = """{"sample_size": 16, "time_cond_proj_dim": 32}"""
            },
        ["Olive, half precision"] = new() { Real = TensorElementType.Float16, FileName = "model_fp16.onnx" },
        ["half-precision timestep"] = new() { Real = TensorElementType.Float16, TimestepType = TensorElementType.Float16 },
        ["single-precision timestep"] = new() { TimestepType = TensorElementType.Float },
        ["timestep without dimensions"] = new() { TimestepShape = [] },
        ["timestep of one"] = new() { TimestepShape = [1] },
        ["timestep of 'steps', one a row"] = new() { TimestepShape = ["steps"] },
        ["timestep of 'steps', the first for all"] = new() { TimestepShape = ["steps"], TimestepUse = TimestepUse.First },
        ["timestep of 'steps', one alone"] = new() { TimestepShape = ["steps"], TimestepUse = TimestepUse.OneOnly },
        ["weights in a file beside the graph"] = new() { ExternalData = true },
        ["one size alone"] = new() { SampleShape = ["batch", 4, 16, 16] },
        ["one chunk of tokens alone"] = new() { Tokens = OnnxFolderBuilder.Context },
        ["a decoder for one image at a time"] = new() { VaeBatch = 1 },
        ["flow prediction"] = new() { Scheduler = "FlowMatchEulerDiscreteScheduler", PredictionType = "flow_prediction" },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public async Task A_folder_of_any_common_layout_generates_what_the_prompt_says(string layout)
    {
        var folder = Variants[layout].Write();
        var first = await GenerateAsync(Open(folder), Requests.Of("a", prompt: "a cat", seed: 1, steps: 4));
        var second = await GenerateAsync(Open(folder), Requests.Of("a", prompt: "a dog", seed: 1, steps: 4));
        Assert.Equal((128, 128), (first.Image.Width, first.Image.Height));
        Assert.NotEqual(first.Image.Pixels, second.Image.Pixels);
        Assert.True(first.Image.Pixels.Distinct().Count() > 100, "The image is nearly plain.");
    }

    [Theory]
    [InlineData("Stable Diffusion 1.5", true)]
    [InlineData("timestep of 'steps', one a row", true)]
    [InlineData("timestep of 'steps', the first for all", false)]
    [InlineData("timestep of 'steps', one alone", false)]
    [InlineData("timestep of one", false)]
    [InlineData("timestep without dimensions", false)]
    public void Whether_each_row_takes_its_own_timestep_is_found_out(string layout, bool perRow)
    {
        using var model = Open(Variants[layout].Write());
        Assert.Equal(perRow, model.TimestepPerRow);
    }

    [Fact]
    public void A_request_with_embedded_guidance_takes_one_row()
    {
        using var model = Open(Variants["latent consistency"].Write());
        Assert.True(model.GuidanceEmbedded);
    }

    [Fact]
    public async Task A_long_prompt_is_encoded_in_chunks_and_cut_where_the_denoiser_takes_but_one()
    {
        var prompt = string.Concat(Enumerable.Repeat("sea ", 40)) + "whale";
        var whole = await GenerateAsync(Open(new OnnxFolderBuilder().Write()), Requests.Of("a", prompt: prompt));
        Assert.Null(whole.PromptCutOff);

        var cut = await GenerateAsync(Open(Variants["one chunk of tokens alone"].Write()), Requests.Of("a", prompt: prompt));
        Assert.EndsWith("whale", cut.PromptCutOff);
    }

    [Fact]
    public async Task An_image_that_the_safety_checker_objects_to_comes_black_and_flagged()
    {
        var folder = new OnnxFolderBuilder { SafetyChecker = true }.Write();
        var images = new List<EngineEvent.Completed>();
        for (var seed = 0; seed < 12; seed++)
            images.Add(await GenerateAsync(Open(folder), Requests.Of("a", prompt: $"{seed}", seed: seed, steps: 2)));
        Assert.Contains(images, p => p.Flagged);
        Assert.Contains(images, p => !p.Flagged);
        Assert.All(images, p => Assert.Equal(p.Flagged, p.Image.Pixels.All(b => b == 0)));
    }

    [Fact]
    public void Defaults_and_sizes_come_from_the_folder()
    {
        using var said = Open(new OnnxFolderBuilder
        {
            ModelIndex = """
                {
                  "_muse": {
                    "defaults": { "steps": 7, "guidance_scale": 3, "guidance_max_timestep": 480, "width": 96, "height": 64 },
                    "sizes": { "min": 32, "max": 160, "multiple": 16 }
                  }
                }
                """,
        }.Write());
        var t = said.Traits;
        Assert.Equal((7, 3f, 480f), (t.DefaultSteps, t.DefaultGuidanceScale, t.GuidanceMaxTimestep));
        Assert.Equal((96, 64, 32, 160, 16), (t.DefaultWidth, t.DefaultHeight, t.MinSize, t.MaxSize, t.SizeMultiple));

        using var unsaid = Open(new OnnxFolderBuilder().Write());
        t = unsaid.Traits;
        Assert.Equal((20, 7.5f, float.PositiveInfinity, 128, 128, 32, 256, 8),
            (t.DefaultSteps, t.DefaultGuidanceScale, t.GuidanceMaxTimestep, t.DefaultWidth, t.DefaultHeight, t.MinSize, t.MaxSize,
            t.SizeMultiple));

        using var fixedSize = Open(Variants["one size alone"].Write());
        Assert.Equal("Width must be 128; 256 was requested.", fixedSize.Traits.Check(Requests.Of("a", size: 256))?.Message);
    }

    [Fact]
    public async Task The_built_in_model_opens_and_generates()
    {
        var image =
            await GenerateAsync(Open(Path.Combine(Repository.Root, "models", "scenes")),
            Requests.Of("a", prompt: "a large red star at night", guidance: 3, steps: 12));
        Assert.True(image.Image.Pixels.Distinct().Count() > 50);
    }

    [Fact]
    public async Task The_miniature_of_Stable_Diffusion_3_generates_what_the_prompt_says()
    {
        var model = Open(Path.Combine(Repository.Root, "models", "scenes3"));
        Assert.Equal((128, 128), (model.Traits.DefaultWidth, model.Traits.DefaultHeight));
        var done = await GenerateAsync(model, Requests.Of("a", prompt: "a large red circle in the middle on a white background",
            guidance: model.Traits.DefaultGuidanceScale, steps: model.Traits.DefaultSteps));
        var (corner, centre) = (PixelAt(4, 4), PixelAt(64, 64));
        Assert.True(corner is [> 200, > 200, > 200], $"the corner is {string.Join(' ', corner)}, which is not white.");
        Assert.True(centre is [> 150, < 100, < 100], $"the centre is {string.Join(' ', centre)}, which is not red.");

        byte[] PixelAt(int x, int y) => done.Image.Pixels[(3 * (y * 128 + x))..][..3];
    }
}
