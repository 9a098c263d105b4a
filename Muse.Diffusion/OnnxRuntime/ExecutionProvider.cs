using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;

namespace Muse.Diffusion;

/// <summary>Where ONNX Runtime runs a model's graphs.</summary>
/// <param name="Name">As a person would name the device.</param>
/// <param name="OnHost">Whether graphs read and write the host's memory directly, so that bound buffers need no copies.</param>
/// <param name="Configure">Adds the provider to the options of a session over a graph's file; without a file when it is only tried whether
/// it works.</param>
sealed record ExecutionProvider(string Name, bool OnHost, Action<SessionOptions, string?> Configure)
{
    /// <summary>The GPU, where there are several.</summary>
    public int DeviceId { get; init; }

    /// <summary>
    /// Whether it prepares itself anew whenever a shape differs from the one before, also from one that it had earlier
    /// (<see cref="RowPadding"/>).
    /// </summary>
    public bool KeepsOneShape { get; init; }

    /// <summary>Whether it runs ONNX Runtime's own operations, so that attentions are fused to one of them.</summary>
    public bool FusesGraphs { get; init; }

    const string PluginPrefix = "plugin:";

    /// <summary>What device settings there are, for messages.</summary>
    public const string Settings = "auto, cpu, cuda, tensorrt, plugin:/path/to/library, or simulated:base=40ms,picture=10ms";

    /// <summary>
    /// The provider of a device setting; <c>auto</c> takes the first of TensorRT, CUDA, the plug-in library and the CPU that works.
    /// </summary>
    /// <exception cref="ArgumentException">The setting is none, or asks for what this machine does not have.</exception>
    public static ExecutionProvider Choose(string device, DeviceOptions options, ILogger logger)
    {
        device = device.Trim();
        if (!device.Equals("auto", StringComparison.OrdinalIgnoreCase))
            return Named(device, options);
        string?[] candidates = ["tensorrt", "cuda", options.PluginLibrary is { Length: > 0 } library ? PluginPrefix + library : null];
        foreach (var candidate in candidates)
        {
            if (candidate is null)
                continue;
            try
            {
                var chosen = Named(candidate, options);
                EngineLog.ProviderChosen(logger, chosen.Name, "it works here and is the fastest of those that do");
                return chosen;
            }
            catch (ArgumentException e)
            {
                EngineLog.ProviderPassedOver(logger, candidate, e.Message);
            }
        }
        var cpu = Cpu(options);
        EngineLog.ProviderChosen(logger, cpu.Name, "no accelerator was found");
        return cpu;
    }

    static ExecutionProvider Named(string device, DeviceOptions options) => device.ToLowerInvariant() switch
    {
        "cpu" => Cpu(options),
        "cuda" => EnsureWorks(Cuda(options), "CUDAExecutionProvider"),
        "tensorrt" => EnsureWorks(TensorRt(options), "TensorrtExecutionProvider"),
        var text when text.StartsWith(PluginPrefix, StringComparison.Ordinal) => Plugin(device[PluginPrefix.Length..], options),
        _ => throw new ArgumentException($"There is no device '{device}'; it can be {Settings}."),
    };

    static ExecutionProvider Cpu(DeviceOptions options)
    {
        var threads = options.Threads > 0 ? options.Threads : Math.Max(1, Environment.ProcessorCount / options.WorkersOnMachine);
        return new ExecutionProvider($"CPU ({threads} thread{(threads == 1 ? "" : "s")})", OnHost: true, (session, _) =>
        {
            session.IntraOpNumThreads = threads;
            session.InterOpNumThreads = 1;
            // Threads that spin for their next piece of work take the cores from decoding, from the samplers and from other workers.
            session.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        })
        { FusesGraphs = options.FuseGraphs };
    }

    static ExecutionProvider Cuda(DeviceOptions options) =>
        new($"CUDA (GPU {options.DeviceId})", OnHost: false, (session, _) => AppendCuda(session, options))
        {
            DeviceId = options.DeviceId,
            KeepsOneShape = true,
            FusesGraphs = options.FuseGraphs,
        };

    static ExecutionProvider TensorRt(DeviceOptions options) => new($"TensorRT (GPU {options.DeviceId})", OnHost: false, (session, graph) =>
    {
        var settings = GpuSettings.TensorRt(options, graph);
        Directory.CreateDirectory(settings["trt_engine_cache_path"]);
        using var tensorRt = new OrtTensorRTProviderOptions();
        tensorRt.UpdateOptions(settings);
        session.AppendExecutionProvider_Tensorrt(tensorRt);
        // What TensorRT does not take, CUDA does.
        AppendCuda(session, options);
    })
    { DeviceId = options.DeviceId };

    static void AppendCuda(SessionOptions session, DeviceOptions options)
    {
        using var cuda = new OrtCUDAProviderOptions();
        cuda.UpdateOptions(GpuSettings.Cuda(options));
        session.AppendExecutionProvider_CUDA(cuda);
    }

    static ExecutionProvider Plugin(string library, DeviceOptions options)
    {
        if (!File.Exists(library))
            throw new ArgumentException($"The plug-in execution provider '{library}' is not there.");
        const string registration = "muse-plugin";
        var environment = OrtEnv.Instance();
        try
        {
            environment.RegisterExecutionProviderLibrary(registration, Path.GetFullPath(library));
        }
        catch (OnnxRuntimeException e)
        {
            throw new ArgumentException($"The plug-in execution provider '{library}' can't be loaded: {e.Message}", e);
        }
        // A library may bring several providers; its devices are those that the CPU provider does not own.
        var devices = environment.GetEpDevices().Where(d => d.EpName != "CPUExecutionProvider").ToList();
        if (devices.Count == 0)
            throw new ArgumentException($"The plug-in execution provider '{library}' finds no device on this machine.");
        var own = devices.Where(d => d.EpName == devices[0].EpName).ToList();
        if (options.DeviceId >= own.Count)
        {
            throw new ArgumentException(
                $"Device:DeviceId is {options.DeviceId}, but {own[0].EpName} finds {own.Count} device{(own.Count == 1 ? "" : "s")}, "
                + $"counted from 0.");
        }

        return new ExecutionProvider($"{own[0].EpName} (plug-in)", OnHost: false,
            (session, _) =>
                session.AppendExecutionProvider(environment, [own[options.DeviceId]], GpuSettings.Plugin(own[0].EpName, options)))
        { DeviceId = options.DeviceId, KeepsOneShape = GpuSettings.IsCuda(own[0].EpName) };
    }

    // The provider's libraries are loaded when a session is configured, so only that shows whether it works.
    static ExecutionProvider EnsureWorks(ExecutionProvider provider, string ortName)
    {
        if (!OrtEnv.Instance().GetAvailableProviders().Contains(ortName))
        {
            throw new ArgumentException(
                $"This build of ONNX Runtime has no {ortName}; the package Microsoft.ML.OnnxRuntime.Gpu brings it.");
        }

        try
        {
            using var options = new SessionOptions();
            provider.Configure(options, null);
            return provider;
        }
        catch (OnnxRuntimeException e)
        {
            throw new ArgumentException($"{provider.Name} does not work here: {e.Message}", e);
        }
    }
}
