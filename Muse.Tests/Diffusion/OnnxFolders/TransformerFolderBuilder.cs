using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Tests.Diffusion.OnnxFolders;

/// <summary>
/// Makes a folder of Stable Diffusion 3 or FLUX with tiny graphs that compute what <see cref="ToyArithmetic"/> says: 16 channels, patches
/// of 2×2 cells, all inputs of the real exports.
/// </summary>
sealed class TransformerFolderBuilder
{
    /// <summary>FLUX; else Stable Diffusion 3.</summary>
    public bool IsFlux { get; init; }
    /// <summary>Whether there is a T5 (Stable Diffusion 3's may be absent).</summary>
    public bool HasT5 { get; init; } = true;
    /// <summary>Whether the denoiser takes the guidance scale (FLUX dev).</summary>
    public bool IsGuided { get; init; }
    public TensorElementType PositionType { get; init; } = TensorElementType.Int64;
    /// <summary>Whether txt_ids and img_ids have a batch axis.</summary>
    public bool PositionsHaveBatch { get; init; }
    public object[] TimestepShape { get; init; } = ["batch"];
    public TensorElementType TimestepType { get; init; } = TensorElementType.Float;
    /// <summary>Number type of the denoiser's other inputs and outputs.</summary>
    public TensorElementType Real { get; init; } = TensorElementType.Float;
    /// <summary>The name of the denoiser's output.</summary>
    public string Output { get; init; } = "out_hidden_states";
    /// <summary>The folder of the denoiser.</summary>
    public string Part { get; init; } = "transformer";
    public object Tokens { get; init; } = "tokens";
    public bool HiddenLayers { get; init; } = true;
    /// <summary>Channels of the latent that the denoiser takes beside the 16.</summary>
    public int ExtraChannels { get; init; }
    public string Class { get; init; } = "";
    /// <summary>The most rows of cells for which the decoder finds memory; null for any number.</summary>
    public int? VaeFits { get; init; }
    public required string Scheduler { get; init; }

    /// <summary>How many tokens T5 gives, or zeros stand for.</summary>
    public int T5Tokens => IsFlux && IsGuided ? 512 : 256;

    /// <summary>Writes a folder of its own in the temporary folder.</summary>
    public string Write()
    {
        var folder = Path.Combine(Directory.CreateTempSubdirectory("muse-model-").FullName, "tiny");
        var name = Class != "" ? Class : IsFlux ? "FluxPipeline" : "StableDiffusion3Pipeline";
        WriteJson(folder, "model_index.json", new { _class_name = name });
        OnnxFolderBuilder.WriteText(folder, "scheduler/scheduler_config.json", Scheduler);
        // No scale and shift: the family knows them.
        WriteJson(folder, "vae_decoder/config.json", new { block_out_channels = new[] { 1, 1, 1, 1 } });
        WriteJson(folder, $"{Part}/config.json",
            new { sample_size = 16, joint_attention_dim = ToyArithmetic.TextWidth, guidance_embeds = IsGuided });
        OnnxFolderBuilder.WriteTokenizer(folder, "tokenizer");
        Save(ClipEncoder(0), folder, "text_encoder");
        if (!IsFlux)
        {
            OnnxFolderBuilder.WriteTokenizer(folder, "tokenizer_2");
            Save(ClipEncoder(1), folder, "text_encoder_2");
        }
        if (HasT5)
        {
            var number = IsFlux ? 2 : 3;
            WriteJson(folder, $"tokenizer_{number}/tokenizer.json", UnigramTokenizer());
            Save(T5Encoder(), folder, $"text_encoder_{number}");
            WriteJson(folder, $"text_encoder_{number}/config.json", new { model_type = "t5" });
        }
        Save(IsFlux ? FluxDenoiser() : Sd3Denoiser(), folder, Part);
        Save(Decoder(), folder, "vae_decoder");
        Save(Encoder(), folder, "vae_encoder");
        return folder;
    }

    static void WriteJson(string folder, string name, object value) =>
        OnnxFolderBuilder.WriteText(folder, name, JsonSerializer.Serialize(value));

    static void Save(OnnxGraph graph, string folder, string part)
    {
        Directory.CreateDirectory(Path.Combine(folder, part));
        graph.Save(Path.Combine(folder, part, "model.onnx"));
    }

    OnnxGraph ClipEncoder(int encoder)
    {
        var (graph, width) = (new OnnxGraph(), ToyArithmetic.ClipWidths[encoder]);
        var ids = graph.Input("input_ids", TensorElementType.Int64, "batch", ToyArithmetic.ClipTokens);
        var states = States(graph, ids, 514, ToyArithmetic.ClipTokens, width,
            (id, token, j) => ToyArithmetic.ClipState(encoder, token, id, j));
        graph.Output("last_hidden_state", TensorElementType.Float, states, "batch", ToyArithmetic.ClipTokens, width);
        var mean = graph.Do("ReduceMean", [states], OnnxGraph.Attribute("axes", [1]), OnnxGraph.Attribute("keepdims", 0));
        graph.Output(IsFlux ? "pooler_output" : "text_embeds", TensorElementType.Float, Times(graph, mean, 3), "batch", width);
        if (IsFlux || !HiddenLayers)
            return graph;
        var layers = new[] { graph.Do("Neg", [states]), Times(graph, states, 2), states };
        for (var i = 0; i < layers.Length; i++)
            graph.Output($"hidden_states.{i}", TensorElementType.Float, layers[i], "batch", ToyArithmetic.ClipTokens, width);
        return graph;
    }

    OnnxGraph T5Encoder()
    {
        var graph = new OnnxGraph();
        var ids = graph.Input("input_ids", TensorElementType.Int64, "batch", "tokens");
        var states = States(graph, ids, 30, T5Tokens, ToyArithmetic.TextWidth, (id, token, j) => ToyArithmetic.T5State(token, id, j));
        graph.Output("last_hidden_state", TensorElementType.Float, states, "batch", "tokens", ToyArithmetic.TextWidth);
        return graph;
    }

    // A state is the sum of what the id gives at token 0 and what the token gives for id 0.
    static string States(OnnxGraph graph, string ids, int vocabulary, int tokens, int width, Func<int, int, int, float> state)
    {
        var byId = Table(vocabulary, width, (id, j) => state(id, 0, j));
        var byToken = Table(tokens, width, (token, j) => state(0, token, j) - state(0, 0, j));
        return graph.Do("Add", [graph.Do("Gather", [graph.Floats(byId, vocabulary, width), ids]), graph.Floats(byToken, tokens, width)]);
    }

    OnnxGraph FluxDenoiser()
    {
        const int Wide = ToyArithmetic.Channels * 4;
        var graph = new OnnxGraph();
        var takes = Wide + 4 * ExtraChannels;
        var hidden = graph.ToFloat(graph.Input("hidden_states", Real, "batch", "patches", takes));
        if (takes > Wide)
            hidden = graph.Do("Slice", [hidden, graph.Longs(0), graph.Longs(Wide), graph.Longs(2)]);
        var sum = TextSum(graph, rank: 3);
        if (IsGuided)
            sum = Add(graph, sum, Times(graph, Column(graph, graph.ToFloat(graph.Input("guidance", Real, "batch")), 3), 0.1f));
        object[] leading = PositionsHaveBatch ? ["batch"] : [];
        var image = graph.ToFloat(graph.Input("img_ids", PositionType, [.. leading, "patches", 3]));
        sum = Add(graph, sum, graph.Do("MatMul", [image, graph.Floats(ToyArithmetic.PositionWeights, 3, 1)]));
        var text = graph.ToFloat(graph.Input("txt_ids", PositionType, [.. leading, "tokens", 3]));
        // All of it is 0.
        sum = Add(graph, sum, Column(graph, graph.Do("ReduceMean", [text], OnnxGraph.Attribute("keepdims", 0)), 3));
        sum = Add(graph, sum, graph.Floats(Table(Wide, 1, (k, _) => ToyArithmetic.ElementWeight(k)), Wide));
        var sigma = Column(graph, graph.ToFloat(graph.Input("timestep", TimestepType, TimestepShape)), 3);
        graph.Output(Output, Real, Velocity(graph, hidden, sigma, sum), "batch", "patches", Wide);
        return graph;
    }

    OnnxGraph Sd3Denoiser()
    {
        const int Wide = ToyArithmetic.Channels * 4;
        var graph = new OnnxGraph();
        var latent = graph.ToFloat(graph.Input("hidden_states", Real, "batch", ToyArithmetic.Channels, "height", "width"));
        var patches = graph.Do("SpaceToDepth", [latent], OnnxGraph.Attribute("blocksize", 2));
        var sum = Add(graph, TextSum(graph, rank: 4),
            graph.Floats(Table(Wide, 1, (k, _) => ToyArithmetic.ElementWeight(k)), Wide, 1, 1));
        var timestep = Column(graph, graph.ToFloat(graph.Input("timestep", TimestepType, TimestepShape)), 4);
        var velocity = Velocity(graph, patches, Times(graph, timestep, 0.001f), sum);
        graph.Output(Output, Real, graph.Do("DepthToSpace", [velocity], OnnxGraph.Attribute("blocksize", 2)),
            "batch", ToyArithmetic.Channels, "height", "width");
        return graph;
    }

    // Every value of the states and of the pooled embedding by a weight of its place.
    string TextSum(OnnxGraph graph, int rank)
    {
        int tokens = (IsFlux ? 0 : ToyArithmetic.ClipTokens) + T5Tokens, width = ToyArithmetic.TextWidth;
        var pooledWidth = IsFlux ? ToyArithmetic.ClipWidths[0] : ToyArithmetic.ClipWidths.Sum();
        var text = graph.ToFloat(graph.Input("encoder_hidden_states", Real, "batch", Tokens, width));
        text = graph.Do("Reshape", [text, graph.Longs(-1, tokens * width)]);
        text = graph.Do("MatMul", [text, graph.Floats(Table(tokens, width, ToyArithmetic.StateWeight), tokens * width, 1)]);
        var pooled = graph.ToFloat(graph.Input("pooled_projections", Real, "batch", pooledWidth));
        pooled = graph.Do("MatMul", [pooled, graph.Floats(Table(pooledWidth, 1, (i, _) => ToyArithmetic.PooledWeight(i)), pooledWidth, 1)]);
        return Column(graph, Add(graph, text, pooled), rank);
    }

    static string Velocity(OnnxGraph graph, string latent, string sigma, string sum) =>
        Add(graph, Times(graph, latent, ToyArithmetic.LatentWeight), graph.Do("Mul", [sigma, sum]));

    OnnxGraph Decoder()
    {
        var graph = new OnnxGraph();
        var latent = graph.Input("latent_sample", TensorElementType.Float, "batch", ToyArithmetic.Channels, "height", "width");
        var kernel = Table(ToyArithmetic.Channels, 3 * 64, (c, i) => ToyArithmetic.ColourWeight(c, i / 64));
        var image = graph.Do("ConvTranspose", [latent, graph.Floats(kernel, ToyArithmetic.Channels, 3, 8, 8)],
            OnnxGraph.Attribute("kernel_shape", [8, 8]), OnnxGraph.Attribute("strides", [8, 8]));
        if (VaeFits is { } rows)
            image = Add(graph, image, OnnxFolderBuilder.ZeroThatFits(graph, latent, rows));
        graph.Output("sample", TensorElementType.Float, image, "batch", 3, "pixels_high", "pixels_wide");
        return graph;
    }

    static OnnxGraph Encoder()
    {
        var graph = new OnnxGraph();
        var image = graph.Input("sample", TensorElementType.Float, "batch", 3, "pixels_high", "pixels_wide");
        var kernel = Table(ToyArithmetic.Channels, 3 * 64, (c, _) => ToyArithmetic.EncoderWeight(c) / (3 * 64));
        var mean = graph.Do("Conv", [image, graph.Floats(kernel, ToyArithmetic.Channels, 3, 8, 8)],
            OnnxGraph.Attribute("kernel_shape", [8, 8]), OnnxGraph.Attribute("strides", [8, 8]));
        // The least log-variance: nothing is drawn that could be seen.
        var variance = Add(graph, Times(graph, mean, 0), graph.Floats([-30], 1));
        var parameters = graph.Do("Concat", [mean, variance], OnnxGraph.Attribute("axis", 1));
        graph.Output("latent_parameters", TensorElementType.Float, parameters, "batch", 2 * ToyArithmetic.Channels, "height", "width");
        return graph;
    }

    // A token for each letter and for the mark of a word's beginning.
    static object UnigramTokenizer()
    {
        object Special(int id, string content) => new
        {
            id,
            content,
            single_word = false,
            lstrip = false,
            rstrip = false,
            normalized = false,
            special = true,
        };
        var metaspace = new { type = "Metaspace", replacement = "▁", prepend_scheme = "always", split = true };
        object[] Template(string name) =>
            [new { Sequence = new { id = name, type_id = 0 } }, new { SpecialToken = new { id = "</s>", type_id = 0 } }];
        var end = new { id = "</s>", ids = new[] { 1 }, tokens = new[] { "</s>" } };
        object[] vocabulary =
        [
            new object[] { "<pad>", 0.0 }, new object[] { "</s>", 0.0 }, new object[] { "<unk>", 0.0 }, new object[] { "▁", -1.0 },
            .. Enumerable.Range('a', 26).Select(letter => new object[] { $"{(char)letter}", -1.0 }),
        ];
        return new
        {
            version = "1.0",
            added_tokens = new[] { Special(0, "<pad>"), Special(1, "</s>"), Special(2, "<unk>") },
            pre_tokenizer = new { type = "Sequence", pretokenizers = new object[] { new { type = "WhitespaceSplit" }, metaspace } },
            post_processor = new
            {
                type = "TemplateProcessing",
                single = Template("A"),
                pair = Template("A").Concat(Template("B")),
                special_tokens = new Dictionary<string, object> { ["</s>"] = end },
            },
            decoder = metaspace,
            model = new { type = "Unigram", unk_id = 2, vocab = vocabulary, byte_fallback = false },
        };
    }

    static string Add(OnnxGraph graph, string a, string b) => graph.Do("Add", [a, b]);

    static string Times(OnnxGraph graph, string value, float factor) => graph.Do("Mul", [value, graph.Floats([factor], 1)]);

    // One value a row, or one for all rows, as a tensor of that many dimensions.
    static string Column(OnnxGraph graph, string value, int rank) =>
        graph.Do("Reshape", [value, graph.Longs([-1, .. Enumerable.Repeat(1L, rank - 1)])]);

    static float[] Table(int rows, int columns, Func<int, int, float> value) =>
        [.. Enumerable.Range(0, rows * columns).Select(i => value(i / columns, i % columns))];
}
