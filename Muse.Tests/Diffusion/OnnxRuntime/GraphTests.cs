using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime.Tensors;
using Muse.Diffusion;
using Muse.Tests.Diffusion.OnnxFolders;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Diffusion.OnnxRuntime;

public class GraphTests
{
    /// <summary>As PyTorch exports a layer norm without weights behind a sum, which transformers are full of.</summary>
    [Fact]
    public void A_layer_norm_whose_bias_is_an_empty_name_opens()
    {
        using var folder = new TemporaryFolder();
        var graph = new OnnxGraph();
        object[] shape = ["batch", 4, 8];
        var (a, b) = (graph.Input("a", TensorElementType.Float, shape), graph.Input("b", TensorElementType.Float, shape));
        var sum = graph.Do("Add", [a, b]);
        var ones = graph.Floats([1, 1, 1, 1, 1, 1, 1, 1], 8);
        graph.Output("normed", TensorElementType.Float, graph.Do("LayerNormalization", [sum, ones, ""]), shape);
        graph.Output("sum", TensorElementType.Float, graph.Do("Relu", [sum]), shape);
        var path = Path.Combine(folder.Path, "model.onnx");
        graph.Save(path);
        using var opened = Graph.Load(path, "model.onnx", ExecutionProvider.Choose("cpu", new DeviceOptions(), NullLogger.Instance));
        Assert.Equal(["a", "b"], opened.Inputs.Select(port => port.Name));
    }
}
