using Microsoft.Extensions.Logging;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Muse.Diffusion;

/// <summary>One ONNX graph of a model folder, loaded; what it takes and gives is checked against what Muse can give and take.</summary>
sealed class Graph : IDisposable
{
    // As the C++ library, ONNX Runtime's arena (the third under a memory limit), CUDA's libraries and TensorRT say it.
    static readonly string[] OutOfMemory =
    [
        "bad_alloc", "bad allocation", "Failed to allocate memory", "is smaller than requested bytes", "Failed to find a free memory block",
        "out of memory", "ALLOC_FAILED", "OUT_OF_MEMORY", "OutOfMemory",
    ];

    Graph(InferenceSession session, string file, ExecutionProvider provider)
    {
        Session = session;
        File = file;
        Provider = provider;
        Inputs = [.. session.InputMetadata.Select(GraphPort.Of)];
        Outputs = [.. session.OutputMetadata.Select(GraphPort.Of)];
    }

    public InferenceSession Session { get; }

    /// <summary>The file, from the model folder's name on.</summary>
    public string File { get; }

    public ExecutionProvider Provider { get; }

    public IReadOnlyList<GraphPort> Inputs { get; }

    public IReadOnlyList<GraphPort> Outputs { get; }

    /// <param name="path">The graph's file.</param>
    /// <param name="file">Its name in messages.</param>
    /// <param name="provider">Where it runs.</param>
    /// <param name="logger">Where it is said what was fused.</param>
    /// <param name="returnsMemory">Whether the host's memory that a run took is given back; the next run allocates it anew.</param>
    /// <exception cref="ModelFolderException">The file is no graph that ONNX Runtime can run.</exception>
    /// <exception cref="DeviceMemoryException">It does not fit.</exception>
    public static Graph Load(string path, string file, ExecutionProvider provider, ILogger logger, bool returnsMemory = false)
    {
        using var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            EnableCpuMemArena = !returnsMemory,
        };
        options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR;
        // It ends the process at a normalisation whose absent bias is an input of no name, as PyTorch 1.13 exports it (ONNX Runtime 1.31).
        options.AddSessionConfigEntry("optimization.disable_specified_optimizers", "SkipLayerNormFusion");
        provider.Configure(options, path);
        try
        {
            var fused = provider.FusesGraphs ? Fused(path, file, options, logger) : null;
            return new Graph(fused ?? new InferenceSession(path, options), file, provider);
        }
        catch (OnnxRuntimeException e) when (IsOutOfMemory(e))
        {
            throw new DeviceMemoryException($"{file} does not fit into the memory of {provider.Name}.", e);
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelFolderException(file, $"ONNX Runtime can't load it: {e.Message}", e);
        }
    }

    // Null where there is nothing to fuse. A graph that can't be fused runs as it is, so that fusion is never why a model does not load.
    static InferenceSession? Fused(string path, string file, SessionOptions options, ILogger logger)
    {
        try
        {
            if (GraphFusion.Of(path) is not { } fusion)
                return null;
            EngineLog.Fused(logger, file, fusion.Fused, fusion.Attentions, fusion.Masked);
            if (fusion.Fused == 0)
                return null;
            // Where the weights are, which the fused graph does not contain.
            var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
            options.AddSessionConfigEntry("session.model_external_initializers_file_folder_path", folder);
            return new InferenceSession(fusion.Model, options);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            // ONNX Runtime says what is wrong with the file.
            return null;
        }
        catch (Exception e) when (e is not OnnxRuntimeException failure || !IsOutOfMemory(failure))
        {
            EngineLog.NotFused(logger, file, e.Message);
            return null;
        }
    }

    public static bool IsOutOfMemory(OnnxRuntimeException e) => IsOutOfMemoryMessage(e.Message);

    internal static bool IsOutOfMemoryMessage(string message) =>
        OutOfMemory.Any(sign => message.Contains(sign, StringComparison.OrdinalIgnoreCase));

    /// <summary>An input by name; null when the graph does not take it.</summary>
    public GraphPort? Input(string name) => Inputs.FirstOrDefault(input => input.Name == name);

    /// <summary>An input that the graph must take.</summary>
    public GraphPort RequiredInput(string name) =>
        Input(name) ?? throw Refused($"has no input '{name}'; it has {Names(Inputs)}.");

    /// <summary>An output by name; the first where there is none of that name.</summary>
    public GraphPort Output(string name) => Outputs.FirstOrDefault(output => output.Name == name) ?? Outputs[0];

    /// <summary>Refuses inputs that Muse has nothing to give for.</summary>
    public void AllowInputs(params ReadOnlySpan<string> names)
    {
        foreach (var input in Inputs)
        {
            if (!names.Contains(input.Name))
                throw Refused($"takes an input '{input.Name}' that Muse has nothing to give for; it gives {string.Join(", ", names)}.");
        }
    }

    /// <summary>Refuses a number type or a number of dimensions that Muse can't give or take.</summary>
    public void Check(GraphPort port, string direction, int[] ranks, params ReadOnlySpan<TensorElementType> types)
    {
        if (!types.Contains(port.Type))
            throw Refused($"{direction} '{port.Name}' has the type {port.Type}; Muse can do {string.Join(", ", types.ToArray())}.");
        if (!ranks.Contains(port.Dimensions.Length))
            throw Refused($"{direction} '{port.Name}' has {port.Dimensions.Length} dimensions; it must have {string.Join(" or ", ranks)}.");
    }

    public ModelFolderException Refused(string problem, Exception? inner = null) => new(File, problem, inner);

    public static string Names(IEnumerable<GraphPort> ports) => string.Join(", ", ports.Select(port => port.Name));

    public void Dispose() => Session.Dispose();
}
