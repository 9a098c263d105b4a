using System.ComponentModel.DataAnnotations;

namespace Muse.Diffusion;

/// <summary>How a model's graphs are run on their device, section <c>Device</c>.</summary>
public sealed class DeviceOptions
{
    /// <summary>How many workers share this machine: each takes its part of the cores. Default 1.</summary>
    [Range(1, 256)]
    public int WorkersOnMachine { get; set; } = 1;

    /// <summary>
    /// Threads that one graph computes with on the CPU; 0 for the machine's cores divided by <see cref="WorkersOnMachine"/>. Default 0.
    /// </summary>
    [Range(0, 1024)]
    public int Threads { get; set; }

    /// <summary>The GPU, where there are several. Default 0.</summary>
    [Range(0, 64)]
    public int DeviceId { get; set; }

    /// <summary>
    /// A plug-in execution provider's library, tried by <c>auto</c> when neither TensorRT nor CUDA is there. Default none.
    /// </summary>
    public string? PluginLibrary { get; set; }

    /// <summary>Where a T5 text encoder runs. It is 9.5 GB in half precision and idle most of the time. Default Device.</summary>
    [EnumDataType(typeof(T5Placement))]
    public T5Placement T5 { get; set; }

    /// <summary>The smallest <see cref="DecodeTile"/>, pixels.</summary>
    public const int MinDecodeTile = 128;

    /// <summary>
    /// Images that are wider or higher than this are decoded in overlapping tiles of at most this size, pixels, so that the decoder needs
    /// less memory; seams may be seen (diffusers: <c>enable_tiling</c> with <c>tile_sample_min_size</c>). Default none: only what does not
    /// fit into the device's memory as a whole is decoded in tiles.
    /// </summary>
    [Range(MinDecodeTile, 16_384)]
    public int? DecodeTile { get; set; }

    /// <summary>
    /// Whether attentions that were exported as single operations are fused when a graph is loaded, on the CPU and CUDA. TensorRT does that
    /// itself, and a plug-in gets the graph as it is. Default yes.
    /// </summary>
    public bool FuseGraphs { get; set; } = true;

    /// <summary>
    /// Which of cuDNN's heuristics picks convolution algorithms: <c>EXHAUSTIVE</c> the careful one (mode B), <c>HEURISTIC</c> the quick one
    /// (mode A), <c>DEFAULT</c> what works for every shape and may be very slow. ONNX Runtime asks anew at every change of shape. Default
    /// HEURISTIC.
    /// </summary>
    [RegularExpression("EXHAUSTIVE|HEURISTIC|DEFAULT")]
    public string CudnnConvAlgoSearch { get; set; } = "HEURISTIC";

    /// <summary>Most device memory that CUDA's arena takes for each of the model's graphs, bytes; 0 for no limit. Default 0.</summary>
    [Range(0, long.MaxValue)]
    public long GpuMemoryLimit { get; set; }

    /// <summary>Whether CUDA may compute single-precision products in TF32. Default yes.</summary>
    public bool UseTf32 { get; set; } = true;

    /// <summary>
    /// Further options of ONNX Runtime's CUDA provider under its own names, such as <c>prefer_nhwc</c>, <c>fuse_conv_bias</c> and
    /// <c>sdpa_kernel</c>. They win over what Muse sets. Default none.
    /// </summary>
    /// <remarks>https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html lists them.</remarks>
    public Dictionary<string, string> Cuda { get; } = [];

    /// <summary>
    /// Whether TensorRT may compute single-precision graphs in half precision; half-precision graphs need it. SDXL's first decoder
    /// overflows in half precision. Default yes.
    /// </summary>
    public bool TensorRtHalf { get; set; } = true;

    /// <summary>
    /// Where TensorRT keeps the engines it builds, which takes minutes the first time; a folder in it for each graph's content. Default a
    /// folder <c>trt-engines</c> in the temporary folder.
    /// </summary>
    public string TensorRtCache { get; set; } = Path.Combine(Path.GetTempPath(), "trt-engines");
}
