using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Muse.Diffusion;
using Muse.Diffusion.Onnx;
using Muse.Tests.Autoscaler;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.Fusion;

public class GraphFusionTests
{
    // Of outputs around 1: the sums of a softmax and of products are added up in another order.
    const float Tolerance = 2e-5f;

    /// <summary>The graphs of export.py, and their attentions.</summary>
    [Theory]
    [InlineData("older-processor", 4)]
    [InlineData("newer-processor", 4)]
    [InlineData("sdxl", 6)]
    [InlineData("sd3", 3)]
    [InlineData("flux", 2)]
    public void All_attentions_of_an_export_are_fused_and_give_the_same(string name, int attentions)
    {
        var path = Path.Combine(Repository.Root, "Muse.Tests", "Diffusion", "Fusion", "graphs", $"{name}.onnx");
        ExpectFused(path, attentions);
    }

    [Theory]
    [InlineData("Muse.Tests/Diffusion/Fusion/graphs/clip.onnx", 0, 1)]
    [InlineData("models/scenes/text_encoder/model.onnx", 0, 3)]
    [InlineData("models/scenes/unet/model.onnx", 6, 6)]
    [InlineData("models/scenes3/transformer/model.onnx", 0, 6)]
    public void Attentions_with_a_mask_stay_as_they_are(string path, int fused, int masked)
    {
        var fusion = GraphFusion.Of(Path.Combine(Repository.Root, path))!;
        Assert.Equal((fused, fused + masked, masked), (fusion.Fused, fusion.Attentions, fusion.Masked));
    }

    [Fact]
    public void An_attention_of_PyTorch_s_newer_exporter_is_fused_and_gives_the_same() =>
        ExpectFused(new ToyAttention().Write(), attentions: 1);

    [Fact]
    public void An_attention_in_half_precision_is_fused_and_gives_the_same() =>
        ExpectFused(new ToyAttention { IsHalf = true }.Write(), attentions: 1, tolerance: 2e-3f);

    [Theory]
    [InlineData(null)]
    [InlineData("weights.bin")]
    public void Weights_stay_in_the_file_that_they_are_in(string? externalData)
    {
        var path = new ToyAttention { HasWeights = true }.Write(externalData);
        var fusion = ExpectFused(path, attentions: 1);
        var weights = Assert.Single(ModelProto.Parser.ParseFrom(fusion.Model).Graph.Initializer, tensor => tensor.Dims.Count == 2);
        Assert.Equal(externalData ?? "model.onnx", weights.ExternalData.Single(entry => entry.Key == "location").Value);
        Assert.Equal(0, weights.RawData.Length);
    }

    [Fact]
    public void What_a_file_says_besides_is_kept() =>
        Assert.Contains("muse-tests", Encoding.Latin1.GetString(GraphFusion.Of(new ToyAttention().Write())!.Model));

    [Fact]
    public void An_attention_whose_queries_share_one_head_of_keys_stays_as_it_is() =>
        Assert.Equal((0, 1), Counts(new ToyAttention { OneKeyHead = true }.Write()));

    [Fact]
    public void A_softmax_over_queries_is_no_attention() => Assert.Null(GraphFusion.Of(new ToyAttention { Axis = 2 }.Write()));

    [Fact]
    public void An_attention_whose_weights_are_needed_elsewhere_stays_as_it_is() =>
        Assert.Null(GraphFusion.Of(new ToyAttention { GivesWeights = true }.Write()));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_log_says_what_was_fused_unless_a_setting_turns_it_off(bool isOn)
    {
        var log = new LinesLogger();
        var provider = ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1, FuseGraphs = isOn }, NullLogger.Instance);
        using var graph = Muse.Diffusion.Graph.Load(new ToyAttention().Write(), "toy/model.onnx", provider, log.For<DiffusionEngine>());
        Assert.Equal(isOn ? ["toy/model.onnx: 1 of 1 attentions fused; 0 have a mask and stay as they are"] : [], log.All);
    }

    [Fact]
    public void A_file_that_is_no_graph_is_refused_as_before()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("muse-attention-").FullName, "model.onnx");
        File.WriteAllText(path, "This is no graph.");
        var provider = ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance);
        Assert.Throws<ModelFolderException>(() => Muse.Diffusion.Graph.Load(path, "toy/model.onnx", provider, NullLogger.Instance));
    }

    [Fact]
    public void A_fused_row_is_the_same_to_the_bit_alone_and_in_company()
    {
        var path = new ToyAttention().Write();
        using var session = Open(path, GraphFusion.Of(path)!.Model);
        const int rows = 5, tokens = 200;
        var inputs = Inputs(session, rows, tokens, side: 1);
        var together = Run(session, inputs);
        for (var row = 0; row < rows; row++)
        {
            var alone = inputs.ToDictionary(input => input.Key, input => RowOf(input.Value, row, rows));
            Assert.Equal((float[])RowOf(together, row, rows).Item1, (float[])Run(session, alone).Values);
        }

        static (Array, long[]) RowOf((Array Values, long[] Shape) value, int row, int rows)
        {
            var length = value.Values.Length / rows;
            return (((float[])value.Values)[(row * length)..((row + 1) * length)], [1, .. value.Shape[1..]]);
        }
    }

    static (int, int) Counts(string path)
    {
        var fusion = GraphFusion.Of(path)!;
        return (fusion.Fused, fusion.Attentions);
    }

    static GraphFusion ExpectFused(string path, int attentions, float tolerance = Tolerance)
    {
        var fusion = GraphFusion.Of(path)!;
        Assert.Equal((attentions, attentions), (fusion.Fused, fusion.Attentions));
        var operations = ModelProto.Parser.ParseFrom(fusion.Model).Graph.Node.CountBy(node => node.OpType).ToDictionary();
        Assert.Equal((attentions, 0),
            (operations.GetValueOrDefault("MultiHeadAttention"), operations.GetValueOrDefault("Softmax")));
        using InferenceSession plain = Open(path, null), fused = Open(path, fusion.Model);
        foreach (var (rows, tokens, side) in new[] { (1, 6, 8), (3, 9, 12) })
        {
            var inputs = Inputs(plain, rows, tokens, side);
            var (expected, actual) = (Run(plain, inputs), Run(fused, inputs));
            Assert.Equal(expected.Shape, actual.Shape);
            Assert.All(((float[])expected.Values).Zip((float[])actual.Values), pair => Assert.Equal(pair.First, pair.Second, tolerance));
        }
        return fusion;
    }

    static InferenceSession Open(string path, byte[]? model)
    {
        using var options = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL };
        options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", Path.GetDirectoryName(path)!);
        return model is null ? new InferenceSession(path, options) : new InferenceSession(model, options);
    }

    static Dictionary<string, (Array Values, long[] Shape)> Inputs(InferenceSession session, int rows, int tokens, int side)
    {
        var random = new Random(1);
        return session.InputMetadata.ToDictionary(input => input.Key, input =>
        {
            long[] shape = [.. input.Value.Dimensions.Zip(input.Value.SymbolicDimensions, (dimension, name) => name switch
            {
                "batch" => rows,
                "height" or "width" => side,
                "" => dimension,
                _ => tokens,
            })];
            var count = (int)shape.Aggregate((a, b) => a * b);
            Array values = input.Value.ElementType == typeof(long)
                ? Enumerable.Range(0, count).Select(_ => random.NextInt64(20)).ToArray()
                : Enumerable.Range(0, count).Select(_ => 2 * random.NextSingle() - 1).ToArray();
            return (values, shape);
        });
    }

    static (Array Values, long[] Shape) Run(InferenceSession session, Dictionary<string, (Array Values, long[] Shape)> inputs)
    {
        var values = inputs.ToDictionary(input => input.Key, input => input.Value.Values is long[] ids
            ? OrtValue.CreateTensorValueFromMemory(ids, input.Value.Shape)
            : OrtValue.CreateTensorValueFromMemory((float[])input.Value.Values, input.Value.Shape));
        using var options = new RunOptions();
        using var outputs = session.Run(options, values, ["result"]);
        foreach (var value in values.Values)
            value.Dispose();
        return (outputs[0].GetTensorDataAsSpan<float>().ToArray(), outputs[0].GetTensorTypeAndShape().Shape);
    }
}
