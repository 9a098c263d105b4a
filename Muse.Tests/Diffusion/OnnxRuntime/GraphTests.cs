using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.OnnxRuntime;

public class GraphTests
{
    // PyTorch 1.13 exports a normalisation without a bias with a third input of no name.
    [Fact]
    public void A_normalisation_whose_bias_is_left_out_by_an_empty_name_is_loaded()
    {
        const int width = 8;
        var toy = new OnnxGraph();
        var x = toy.Input("x", TensorElementType.Float, "batch", "tokens", width);
        var sum = toy.Do("Add", [x, toy.Do("Neg", [x])]);
        var weights = toy.Floats([.. Enumerable.Repeat(1f, width)], width);
        var normalised = toy.Do("LayerNormalization", [sum, weights, ""], OnnxGraph.Attribute("axis", -1));
        toy.Output("y", TensorElementType.Float, normalised, "batch", "tokens", width);
        var file = Path.Combine(Directory.CreateTempSubdirectory("muse-graph-").FullName, "model.onnx");
        toy.Save(file);
        var provider = ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance);
        using var graph = Graph.Load(file, "toy/model.onnx", provider, NullLogger.Instance);
        Assert.Equal("y", Assert.Single(graph.Outputs).Name);
    }
}
