using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;

namespace Muse.Tests.Diffusion.OnnxFolders;

/// <summary>How a denoiser uses its timestep input.</summary>
enum TimestepUse
{
    /// <summary>Each row its own.</summary>
    PerRow,
    /// <summary>The first for all rows, whatever their number.</summary>
    First,
    /// <summary>One alone: more are an error.</summary>
    OneOnly,
}

/// <summary>What an image encoder gives.</summary>
enum EncoderOutput
{
    /// <summary>The mean and the log-variance.</summary>
    Parameters,
    /// <summary>The mean, under the name of a sample.</summary>
    Mean,
    /// <summary>A sample, with noise that the graph draws.</summary>
    Sample,
}

/// <summary>Makes a model folder in the layout of Stable Diffusion's ONNX exports, with tiny real graphs of random weights.</summary>
sealed class OnnxFolderBuilder
{
    public const int Context = 77, PixelsPerCell = 8;

    public TensorElementType IdsType { get; init; } = TensorElementType.Int32;
    public object[] IdsShape { get; init; } = ["batch", Context];
    /// <summary>Number type of the denoiser's and the decoder's inputs and outputs.</summary>
    public TensorElementType Real { get; init; } = TensorElementType.Float;
    public TensorElementType TimestepType { get; init; } = TensorElementType.Int64;
    public object[] TimestepShape { get; init; } = ["batch"];
    public TimestepUse TimestepUse { get; init; } = TimestepUse.PerRow;
    public int Channels { get; init; } = 4;
    public object[]? SampleShape { get; init; }
    /// <summary>Whether the denoiser fails, when it runs, at all latents but those of 8×8.</summary>
    public bool SmallOnly { get; init; }
    public object Tokens { get; init; } = "sequence";
    public int OutputChannels { get; init; } = 4;
    public int VaeChannels { get; init; } = 4;
    /// <summary>What the image encoder gives; null for none.</summary>
    public EncoderOutput? Encoder { get; init; }
    public object VaeBatch { get; init; } = "batch";
    public int Colours { get; init; } = 3;
    /// <summary>The most rows of cells for which the decoder finds memory; null for any number.</summary>
    public int? VaeFits { get; init; }
    /// <summary>Whether the decoder gives the roots of its values: half of them are not numbers.</summary>
    public bool VaeRoots { get; init; }
    public int TextWidth { get; init; } = 16;
    public int UnetTextWidth { get; init; } = 16;
    /// <summary>SDXL: a second text encoder, pooled embeddings and sizes.</summary>
    public bool Two { get; init; }
    public bool HiddenLayers { get; init; } = true;
    public bool TextEmbeds { get; init; } = true;
    public int TimeIds { get; init; } = 6;
    /// <summary>LCM: the guidance scale's embedding.</summary>
    public object? GuidanceLength { get; init; }
    public string? ExtraInput { get; init; }
    public bool ExternalData { get; init; }
    public string FileName { get; init; } = "model.onnx";
    public bool SafetyChecker { get; init; }
    public string PredictionType { get; init; } = "epsilon";
    public string Scheduler { get; init; } = "EulerDiscreteScheduler";
    public string ModelIndex { get; init; } = """{"_class_name": "StableDiffusionPipeline"}""";
    public string UnetConfig { get; init; } = """{"sample_size": 16}""";

    /// <summary>Writes a folder of its own in the temporary folder.</summary>
    public string Write()
    {
        var folder = Path.Combine(Directory.CreateTempSubdirectory("muse-model-").FullName, "tiny");
        WriteText(folder, "model_index.json", ModelIndex);
        WriteText(folder, "scheduler/scheduler_config.json", JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["_class_name"] = Scheduler,
            ["beta_start"] = 0.00085,
            ["beta_end"] = 0.012,
            ["beta_schedule"] = "scaled_linear",
            ["prediction_type"] = PredictionType,
        }));
        WriteTokenizer(folder, "tokenizer");
        WriteText(folder, "unet/config.json", UnetConfig);
        WriteText(folder, "vae_decoder/config.json", """{"scaling_factor": 0.5, "block_out_channels": [1, 1, 1, 1]}""");
        Save(TextEncoder(second: false), folder, "text_encoder");
        if (Two)
        {
            WriteTokenizer(folder, "tokenizer_2");
            Save(TextEncoder(second: true), folder, "text_encoder_2");
        }
        Save(Unet(), folder, "unet");
        Save(VaeDecoder(), folder, "vae_decoder");
        if (Encoder is { } gives)
            Save(VaeEncoder(gives), folder, "vae_encoder");
        if (SafetyChecker)
            Save(Checker(), folder, "safety_checker");
        return folder;
    }

    public static void WriteText(string folder, string name, string text)
    {
        var path = Path.Combine(folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    void Save(OnnxGraph graph, string folder, string part)
    {
        Directory.CreateDirectory(Path.Combine(folder, part));
        graph.Save(Path.Combine(folder, part, FileName), ExternalData ? FileName + "_data" : null);
    }

    OnnxGraph TextEncoder(bool second)
    {
        var graph = new OnnxGraph();
        var ids = graph.Input("input_ids", IdsType, IdsShape);
        var hidden = graph.Do("Gather", [graph.Floats(Random(second ? 2 : 1, 600 * TextWidth), 600, TextWidth), ids]);
        // A token's embedding also depends on its place.
        hidden = graph.Do("Add", [hidden, graph.Floats(Random(3, Context * TextWidth), Context, TextWidth)]);
        var pooled = graph.Do("ReduceMean", [hidden], OnnxGraph.Attribute("axes", [1]), OnnxGraph.Attribute("keepdims", 0));
        if (second && TextEmbeds)
            graph.Output("text_embeds", Real, pooled, "batch", TextWidth);
        graph.Output("last_hidden_state", Real, hidden, "batch", Context, TextWidth);
        if (!second)
            graph.Output("pooler_output", Real, pooled, "batch", TextWidth);
        if (Two && HiddenLayers)
        {
            graph.Output("hidden_states.0", Real, graph.Do("Neg", [hidden]), "batch", Context, TextWidth);
            graph.Output("hidden_states.1", Real, graph.Do("Sin", [hidden]), "batch", Context, TextWidth);
            graph.Output("hidden_states.2", Real, hidden, "batch", Context, TextWidth);
        }
        return graph;
    }

    OnnxGraph Unet()
    {
        var graph = new OnnxGraph();
        var sample = graph.ToFloat(graph.Input("sample", Real, SampleShape ?? ["batch", Channels, "height", "width"]));
        if (SmallOnly)
            sample = graph.Do("Reshape", [sample, graph.Longs(-1, Channels, 8, 8)]);
        var timestep = graph.ToFloat(graph.Input("timestep", TimestepType, TimestepShape));
        var text = graph.ToFloat(graph.Input("encoder_hidden_states", Real, "batch", Tokens, UnetTextWidth));
        if (TimestepUse == TimestepUse.First && TimestepShape.Length > 0)
            timestep = graph.Do("Gather", [timestep, graph.Longs(0)]);
        timestep = graph.Do("Reshape", [timestep, graph.Longs(TimestepUse == TimestepUse.OneOnly ? 1 : -1, 1, 1, 1)]);
        timestep = graph.Do("Mul", [timestep, graph.Floats([0.002f], 1)]);
        var towards =
            Project(graph, graph.Do("ReduceMean", [text], OnnxGraph.Attribute("axes", [1]), OnnxGraph.Attribute("keepdims", 0)),
            UnetTextWidth, 4);
        if (Two)
        {
            towards =
                graph.Do("Add", [towards, Project(graph, graph.ToFloat(graph.Input("text_embeds", Real, "batch", TextWidth)), TextWidth,
                5)]);
            var sizes = graph.Do("Mul", [graph.ToFloat(graph.Input("time_ids", Real, "batch", TimeIds)), graph.Floats([0.001f], 1)]);
            towards = graph.Do("Add", [towards, Project(graph, sizes, TimeIds, 6)]);
        }
        if (GuidanceLength is { } length)
        {
            towards =
                graph.Do("Add", [towards, Project(graph, graph.ToFloat(graph.Input("timestep_cond", Real, "batch", length)),
                length is int known ? known : 32, 7)]);
        }

        if (ExtraInput is { } extra)
            towards = graph.Do("Add", [towards, graph.ToFloat(graph.Input(extra, Real, "batch", 1, 1, 1))]);
        var mixed = graph.Do("Conv", [sample, graph.Floats(Random(8, OutputChannels * Channels * 9), OutputChannels, Channels, 3, 3)],
            OnnxGraph.Attribute("kernel_shape", [3, 3]), OnnxGraph.Attribute("pads", [1, 1, 1, 1]));
        var result = graph.Do("Sin", [graph.Do("Add", [graph.Do("Add", [mixed, towards]), timestep])]);
        graph.Output("out_sample", Real, result, "batch", OutputChannels, "height", "width");
        return graph;
    }

    // From a vector for each row to a value for each channel.
    string Project(OnnxGraph graph, string vectors, int width, int seed) =>
        graph.Do("Reshape", [graph.Do("MatMul", [vectors, graph.Floats(Random(seed, width * OutputChannels), width, OutputChannels)]),
            graph.Longs(-1, OutputChannels, 1, 1)]);

    OnnxGraph VaeDecoder()
    {
        var graph = new OnnxGraph();
        var latent = graph.ToFloat(graph.Input("latent_sample", Real, VaeBatch, VaeChannels, "height", "width"));
        var larger =
            graph.Do("ConvTranspose", [latent, graph.Floats(Random(9, VaeChannels * Colours * 64), VaeChannels, Colours, PixelsPerCell,
            PixelsPerCell)],
            OnnxGraph.Attribute("kernel_shape", [PixelsPerCell, PixelsPerCell]),
                OnnxGraph.Attribute("strides", [PixelsPerCell, PixelsPerCell]));
        if (VaeFits is { } rows)
            larger = graph.Do("Add", [larger, ZeroThatFits(graph, latent, rows)]);
        graph.Output("sample", Real, graph.Do(VaeRoots ? "Sqrt" : "Tanh", [larger]), VaeBatch, Colours, "pixels_high", "pixels_wide");
        return graph;
    }

    /// <summary>A zero, for which a graph needs more memory than any machine has where a latent is higher than this, cells.</summary>
    public static string ZeroThatFits(OnnxGraph graph, string latent, int rows)
    {
        var height = graph.Do("Shape", [latent], OnnxGraph.Attribute("start", 2), OnnxGraph.Attribute("end", 3));
        var above = graph.Do("Max", [graph.Do("Sub", [height, graph.Longs(rows)]), graph.Longs(0)]);
        var count = graph.Do("Add", [graph.Do("Mul", [above, graph.Longs(1L << 50)]), graph.Longs(1)]);
        return graph.Do("ReduceMax", [graph.Do("ConstantOfShape", [count])], OnnxGraph.Attribute("keepdims", 0));
    }

    OnnxGraph VaeEncoder(EncoderOutput gives)
    {
        var graph = new OnnxGraph();
        var image = graph.ToFloat(graph.Input("sample", Real, VaeBatch, 3, "pixels_high", "pixels_wide"));
        var mean = Smaller(10);
        if (gives == EncoderOutput.Parameters)
        {
            var parameters = graph.Do("Concat", [mean, Smaller(11)], OnnxGraph.Attribute("axis", 1));
            graph.Output("latent_parameters", Real, parameters, VaeBatch, 2 * VaeChannels, "height", "width");
        }
        else
        {
            var drawn = gives == EncoderOutput.Mean ? mean : graph.Do("Add", [mean, graph.Do("RandomNormalLike", [mean])]);
            graph.Output("latent_sample", Real, drawn, VaeBatch, VaeChannels, "height", "width");
        }
        return graph;

        string Smaller(int seed) => graph.Do("Conv",
            [image, graph.Floats(Random(seed, VaeChannels * 3 * 64), VaeChannels, 3, PixelsPerCell, PixelsPerCell)],
            OnnxGraph.Attribute("kernel_shape", [PixelsPerCell, PixelsPerCell]),
            OnnxGraph.Attribute("strides", [PixelsPerCell, PixelsPerCell]));
    }

    // Objects to about every other image, by the last digits of its brightness.
    OnnxGraph Checker()
    {
        var graph = new OnnxGraph();
        var clip = graph.ToFloat(graph.Input("clip_input", Real, "batch", 3, 224, 224));
        graph.Input("images", Real, "batch", "height", "width", 3);
        var mean = graph.Do("ReduceMean", [clip], OnnxGraph.Attribute("axes", [1, 2, 3]), OnnxGraph.Attribute("keepdims", 0));
        graph.Output("has_nsfw_concepts", TensorElementType.Bool,
            graph.Do("Greater", [graph.Do("Sin", [graph.Do("Mul", [mean, graph.Floats([500], 1)])]), graph.Floats([0], 1)]), "batch");
        return graph;
    }

    public static void WriteTokenizer(string folder, string part)
    {
        var vocabulary = new Dictionary<string, int>();
        foreach (var letter in ByteLetters())
            vocabulary[$"{letter}"] = vocabulary.Count;
        foreach (var letter in ByteLetters())
            vocabulary[$"{letter}</w>"] = vocabulary.Count;
        vocabulary["<|startoftext|>"] = vocabulary.Count;
        vocabulary["<|endoftext|>"] = vocabulary.Count;
        WriteText(folder, $"{part}/vocab.json", JsonSerializer.Serialize(vocabulary));
        WriteText(folder, $"{part}/merges.txt", "#version: 0.2\n");
    }

    static IEnumerable<char> ByteLetters()
    {
        var next = '\u0100';
        for (var value = 0; value < 256; value++)
            yield return value is (>= '!' and <= '~') or (>= '¡' and <= '¬') or (>= '®' and <= 'ÿ') ? (char)value : next++;
    }

    static float[] Random(int seed, int length)
    {
        var values = new float[length];
        new SeededNoise(seed).Fill(0, 0, values);
        return Array.ConvertAll(values, v => 0.3f * v);
    }
}
