namespace Muse.Diffusion;

/// <summary>The settings of CUDA and TensorRT, under the names that ONNX Runtime reads.</summary>
static class GpuSettings
{
    // What Device:Cuda may not set, and why.
    static readonly Dictionary<string, string> NotPassedOn = new()
    {
        ["device_id"] = "Device:DeviceId chooses the GPU.",
        ["enable_cuda_graph"] = "A recorded graph reads its inputs where they were; Muse binds new ones at each step.",
        ["user_compute_stream"] = "It is an address inside the process.",
    };

    /// <exception cref="ArgumentException">An option of <see cref="DeviceOptions.Cuda"/> is one that Muse can't pass on.</exception>
    public static Dictionary<string, string> Cuda(DeviceOptions options)
    {
        var settings = new Dictionary<string, string>
        {
            ["device_id"] = $"{options.DeviceId}",
            ["cudnn_conv_algo_search"] = options.CudnnConvAlgoSearch,
            ["cudnn_conv_use_max_workspace"] = "1",
            // Doubling the arena would take memory that another row could use.
            ["arena_extend_strategy"] = "kSameAsRequested",
            ["do_copy_in_default_stream"] = "1",
            ["use_tf32"] = options.UseTf32 ? "1" : "0",
        };
        if (options.GpuMemoryLimit > 0)
            settings["gpu_mem_limit"] = $"{options.GpuMemoryLimit}";
        foreach (var (name, value) in options.Cuda)
        {
            if (NotPassedOn.TryGetValue(name, out var reason))
                throw new ArgumentException($"Device:Cuda can't have the option '{name}'. {reason}");
            settings[name] = value;
        }
        return settings;
    }

    /// <summary>Whether a plug-in is CUDA's.</summary>
    public static bool IsCuda(string provider) => provider.StartsWith("cuda", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// The settings of a plug-in. CUDA may come as one, and reads the same names, except for the GPU: the plug-in gets that as a device.
    /// </summary>
    public static Dictionary<string, string> Plugin(string provider, DeviceOptions options)
    {
        if (!IsCuda(provider))
            return [];
        var settings = Cuda(options);
        settings.Remove("device_id");
        return settings;
    }

    /// <param name="options">The device's options.</param>
    /// <param name="graph">The graph's file; null when it is only tried whether TensorRT works.</param>
    public static Dictionary<string, string> TensorRt(DeviceOptions options, string? graph) => new()
    {
        ["device_id"] = $"{options.DeviceId}",
        ["trt_fp16_enable"] = options.TensorRtHalf ? "1" : "0",
        ["trt_engine_cache_enable"] = "1",
        ["trt_engine_cache_path"] = graph is null ? options.TensorRtCache : EngineFolder(options.TensorRtCache, graph),
        ["trt_timing_cache_enable"] = "1",
    };

    // TensorRT's engines hold the weights, but ONNX Runtime finds them by file name and structure alone: of two fine-tuned models,
    // or of a model that was replaced, the wrong one would be used. So each graph's content has a folder of its own.
    static string EngineFolder(string cache, string graph) => Path.Combine(cache, FileContent.HashOf(FileContent.Beside(graph)));
}
