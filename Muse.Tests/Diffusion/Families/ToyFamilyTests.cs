using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.Families;

/// <summary>
/// A family that this test adds, with what no family of the engine has: patches as tokens, inputs by shape, a scaled timestep, a scalar for
/// each row.
/// </summary>
public class ToyFamilyTests
{
    const int Channels = 16, Patch = 2, Wide = Channels * Patch * Patch, TextWidth = 8;

    sealed class Toy(ModelFolder folder) : ModelFamily(folder)
    {
        public static ModelFamily? Recognize(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs) =>
            denoiserInputs.Contains("hidden_states") ? new Toy(folder) : null;

        public override IReadOnlyList<(string Encoder, string Tokenizer)> TextEncoders => [];

        public override IReadOnlyList<DenoiserInput> Inputs { get; } =
        [
            DenoiserInput.Latent("hidden_states"),
            DenoiserInput.Timestep("timestep", scale: 0.001f),
            DenoiserInput.Conditioning("encoder_hidden_states"),
            DenoiserInput.Conditioning("pooled_projections"),
            DenoiserInput.Request("guidance", 1, static (in RowCondition condition, Span<float> values) => values[0] =
                condition.GuidanceScale),
            DenoiserInput.ByShape("img_ids", Positions),
            DenoiserInput.Request("absent", 1, static (in RowCondition _, Span<float> values) => values.Clear()) with { IsOptional = true },
        ];

        public override LatentCodec Latents { get; } = new()
        {
            Channels = Channels,
            PixelsPerCell = OnnxFolderBuilder.PixelsPerCell,
            SizeMultiple = Patch * OnnxFolderBuilder.PixelsPerCell,
            Scale = 0.5f,
            Shift = 0.1f,
            PatchSize = Patch,
        };

        public override bool GuidanceEmbedded => true;

        public override PromptConditioner OpenConditioner(Func<string, Graph> open, int? tokens) => new Hashes();

        static (float[] Values, long[] Shape) Positions(LatentShape latent, ConditioningShape conditioning)
        {
            int high = latent.Height / Patch, wide = latent.Width / Patch;
            return ([.. Enumerable.Range(0, high * wide).SelectMany(i => new float[] { 0, i / wide, i % wide })], [high * wide, 3]);
        }
    }

    /// <summary>A token for each word, and their sum.</summary>
    sealed class Hashes : PromptConditioner
    {
        public override Conditioning Encode(string? prompt, ConditioningShape? minimumShape)
        {
            var words = (prompt ?? "").Split(' ');
            var count = Math.Max(words.Length, minimumShape?.Tensors[0][0] ?? 0);
            var states = new float[count * TextWidth];
            for (var i = 0; i < words.Length; i++)
                new SeededNoise(words[i].Sum(c => c)).Fill(0, 0, states.AsSpan(i * TextWidth, TextWidth));
            var pooled = Enumerable.Range(0, TextWidth).Select(i => Enumerable.Range(0, count).Sum(token => states[token * TextWidth + i]))
                .ToArray();
            return new Conditioning([new("encoder_hidden_states", states, count, TextWidth), new("pooled_projections", pooled, TextWidth)]);
        }

        public override void Dispose()
        {
        }
    }

    static string Folder()
    {
        var folder =
            new OnnxFolderBuilder
            {
                VaeChannels = Channels,
                Scheduler = "FlowMatchEulerDiscreteScheduler",
                PredictionType = "flow_prediction"
            }.Write();
        var graph = new OnnxGraph();
        var hidden = graph.Input("hidden_states", TensorElementType.Float, "batch", "tokens", Wide);
        var text = graph.Input("encoder_hidden_states", TensorElementType.Float, "batch", "words", TextWidth);
        var pooled = graph.Input("pooled_projections", TensorElementType.Float, "batch", TextWidth);
        var timestep = graph.Do("Reshape", [graph.Input("timestep", TensorElementType.Float, "batch"), graph.Longs(-1, 1, 1)]);
        var guidance = graph.Do("Reshape", [graph.Input("guidance", TensorElementType.Float, "batch"), graph.Longs(-1, 1, 1)]);
        var ids = graph.ToFloat(graph.Input("img_ids", TensorElementType.Int64, "tokens", 3));
        var towards =
            graph.Do("MatMul", [graph.Do("ReduceMean", [text], OnnxGraph.Attribute("axes", [1]), OnnxGraph.Attribute("keepdims", 1)),
            Weights(graph, 1, TextWidth)]);
        towards =
            graph.Do("Add", [towards, graph.Do("Reshape",
            [graph.Do("MatMul", [pooled, Weights(graph, 2, TextWidth)]), graph.Longs(-1, 1, Wide)])]);
        towards = graph.Do("Add", [towards, graph.Do("MatMul", [ids, Weights(graph, 3, 3)])]);
        towards = graph.Do("Add", [towards, graph.Do("Add", [timestep, graph.Do("Mul", [guidance, graph.Floats([0.1f], 1)])])]);
        var mixed = graph.Do("MatMul", [hidden, Weights(graph, 4, Wide)]);
        graph.Output("out_sample", TensorElementType.Float, graph.Do("Sin", [graph.Do("Add", [mixed, towards])]), "batch", "tokens", Wide);
        graph.Save(Path.Combine(folder, "unet", "model.onnx"));
        return folder;
    }

    static string Weights(OnnxGraph graph, int seed, int rows)
    {
        var values = new float[rows * Wide];
        new SeededNoise(seed).Fill(0, 0, values);
        return graph.Floats(Array.ConvertAll(values, v => 0.3f * v), rows, Wide);
    }

    static OnnxModel Open(string folder) => OnnxModel.Open(
        folder,
        ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance),
        NullLogger.Instance,
        [Toy.Recognize, .. ModelFamilies.All]);

    static async Task<byte[]> Generate(string folder, params GenerationRequest[] requests)
    {
        await using var engine = await EngineUnderTest.StartAsync(Open(folder));
        foreach (var request in requests)
            engine.Submit(request);
        return await engine.ImageOf(requests[0].Id);
    }

    [Fact]
    public async Task A_family_of_another_shape_runs_without_a_change_to_the_engine()
    {
        var folder = Folder();
        var cat = Requests.Of("a", prompt: "a cat", steps: 4, seed: 1) with { Previews = 1 };
        var image = await Generate(folder, cat);
        Assert.Equal(3 * 128 * 128, image.Length);
        Assert.True(image.Distinct().Count() > 50, "The image is nearly plain.");
        Assert.NotEqual(image, await Generate(folder, cat with { Prompt = "a dog" }));
        Assert.NotEqual(image, await Generate(folder, cat with { GuidanceScale = 3 }));

        // Others at other steps, of another size, with another number of tokens.
        var others =
            new[] { Requests.Of("b", steps: 7), Requests.Of("c", size: 64), Requests.Of("d", prompt: "a cat that sleeps on a sofa") };
        var together = await Generate(folder, [cat, .. others]);
        Assert.All(image.Zip(together), pixel => Assert.InRange(pixel.First - pixel.Second, -1, 1));
    }

    [Fact]
    public async Task Its_steps_run_over_patches_and_its_decoder_gets_channels_and_planes()
    {
        var folder = Folder();
        using var model = Open(folder);
        var shape = model.GetLatentShape(32, 16);
        Assert.Equal(new LatentShape(Channels, 2, 4), shape);
        var (sampler, conditioning) = (model.CreateSampler(null), model.Encode("a cat"));
        var plan = sampler.Plan(3, shape);
        var latent = new float[shape.Length];
        new SeededNoise(5).Fill(-1, 0, latent);
        model.Pack(shape, latent);
        for (var i = 0; i < plan.Timesteps.Length; i++)
        {
            var batch = model.PrepareBatch(shape, conditioning.Shape, 1);
            latent.CopyTo(batch.Input(0));
            batch.SetCondition(0, new RowCondition(plan.Timesteps[i], conditioning, 2, 32, 16));
            batch.Run();
            sampler.Step(plan, i, batch.Output(0), latent, [], new SeededNoise(5));
        }
        var image =
            await Generate(folder, Requests.Of("a", prompt: "a cat", steps: 3, guidance: 2, seed: 5) with { Width = 32, Height = 16 });
        Assert.Equal(image, model.Decode(shape, [latent])[0].Pixels);
    }
}
