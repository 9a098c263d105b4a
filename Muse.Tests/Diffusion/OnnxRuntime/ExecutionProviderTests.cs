using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.ML.OnnxRuntime;
using Muse.Diffusion;
using Muse.Tests.Autoscaler;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.Networks;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.OnnxRuntime;

/// <summary>What can be seen of devices without one: what is handed to them, and what is said where they are missing.</summary>
public class ExecutionProviderTests
{
    static bool HasGpu => File.Exists("/proc/driver/nvidia/version");

    static bool HasGpuBuild => OrtEnv.Instance().GetAvailableProviders().Contains("CUDAExecutionProvider");

    /// <summary>Why a GPU can't be had: this build of ONNX Runtime lacks the provider, or has it and this machine lacks a GPU.</summary>
    static string NoGpu(string provider, string name) => HasGpuBuild
        ? $"{name} (GPU 0) does not work here: "
        : $"This build of ONNX Runtime has no {provider}; the package Microsoft.ML.OnnxRuntime.Gpu brings it.";

    [SkippableFact]
    public void Auto_falls_back_to_the_CPU_and_says_why_each_other_was_passed_over()
    {
        Skip.If(HasGpu, "This machine has a GPU.");
        var log = new LinesLogger();
        var options = new DeviceOptions { Threads = 2, PluginLibrary = "/no/such/library.so" };
        var chosen = ExecutionProvider.Choose("auto", options, log.For<DiffusionEngine>());
        Assert.True(chosen.OnHost);
        Assert.Collection(log.All,
            line => Assert.StartsWith($"tensorrt is passed over: {NoGpu("TensorrtExecutionProvider", "TensorRT")}", line),
            line => Assert.StartsWith($"cuda is passed over: {NoGpu("CUDAExecutionProvider", "CUDA")}", line),
            line => Assert.Equal(
                "plugin:/no/such/library.so is passed over: The plug-in execution provider '/no/such/library.so' is not there.", line),
            line => Assert.Equal("CPU (2 threads): no accelerator was found", line));
    }

    [SkippableTheory]
    [InlineData("cuda", "CUDAExecutionProvider", "CUDA")]
    [InlineData("TensorRT", "TensorrtExecutionProvider", "TensorRT")]
    public void A_GPU_that_is_requested_and_not_available_is_an_error(string device, string provider, string name)
    {
        Skip.If(HasGpu, "This machine has a GPU.");
        Assert.StartsWith(NoGpu(provider, name), Refused(device));
    }

    [Fact]
    public void A_device_that_is_none_is_refused_with_those_that_there_are() =>
        Assert.Equal($"There is no device 'gpu'; it can be {ExecutionProvider.Settings}.", Refused("gpu"));

    [Fact]
    public void A_plug_in_that_is_no_library_is_refused_by_its_name()
    {
        var file = Path.GetTempFileName();
        Assert.StartsWith($"The plug-in execution provider '{file}' can't be loaded: ", Refused($"plugin:{file}"));
        File.Delete(file);
    }

    [Fact]
    public void CUDA_gets_the_settings_of_the_options()
    {
        var settings = GpuSettings.Cuda(new DeviceOptions
        {
            DeviceId = 3,
            CudnnConvAlgoSearch = "EXHAUSTIVE",
            UseTf32 = false,
            GpuMemoryLimit = 8_000_000_000,
        });
        Assert.Equal(("3", "EXHAUSTIVE", "0", "8000000000"),
            (settings["device_id"], settings["cudnn_conv_algo_search"], settings["use_tf32"], settings["gpu_mem_limit"]));
        var standard = GpuSettings.Cuda(new DeviceOptions());
        Assert.Equal(("0", "HEURISTIC", "1", false),
            (standard["device_id"], standard["cudnn_conv_algo_search"], standard["use_tf32"], standard.ContainsKey("gpu_mem_limit")));
    }

    [Fact]
    public void Further_options_of_CUDA_are_read_under_its_own_names_and_win()
    {
        (string Key, string? Value)[] variables =
            [("Device:UseTf32", "true"), ("Device:Cuda:prefer_nhwc", "1"), ("Device:Cuda:use_tf32", "0")];
        var options = new ConfigurationBuilder().AddInMemoryCollection(variables.Select(each => KeyValuePair.Create(each.Key, each.Value)))
            .Build().GetSection("Device").Get<DeviceOptions>()!;
        var settings = GpuSettings.Cuda(options);
        Assert.Equal(("1", "0", "HEURISTIC"), (settings["prefer_nhwc"], settings["use_tf32"], settings["cudnn_conv_algo_search"]));
        Assert.Equal("1", GpuSettings.Plugin("CudaPluginExecutionProvider", options)["prefer_nhwc"]);
    }

    [Theory]
    [InlineData("device_id", "Device:DeviceId chooses the GPU.")]
    [InlineData("enable_cuda_graph", "A recorded graph reads its inputs where they were; Muse binds new ones at each step.")]
    public void An_option_of_CUDA_that_would_give_wrong_images_is_refused_with_the_reason(string name, string reason) =>
        Assert.Equal($"Device:Cuda can't have the option '{name}'. {reason}",
            Assert.Throws<ArgumentException>(() => GpuSettings.Cuda(new DeviceOptions { Cuda = { [name] = "1" } })).Message);

    [Theory]
    [InlineData("CUDAExecutionProvider", "EXHAUSTIVE")]
    [InlineData("CudaPluginExecutionProvider", "EXHAUSTIVE")]
    [InlineData("SomeOtherExecutionProvider", null)]
    public void CUDA_as_a_plug_in_gets_the_same_settings_and_another_plug_in_none(string provider, string? search)
    {
        var settings = GpuSettings.Plugin(provider, new DeviceOptions { DeviceId = 2, CudnnConvAlgoSearch = "EXHAUSTIVE" });
        Assert.Equal(search, settings.GetValueOrDefault("cudnn_conv_algo_search"));
        Assert.False(settings.ContainsKey("device_id"));
    }

    [Fact]
    public void TensorRT_gets_the_settings_of_the_options()
    {
        var options = new DeviceOptions { DeviceId = 1, TensorRtHalf = false, TensorRtCache = "/cache" };
        var settings = GpuSettings.TensorRt(options, graph: null);
        Assert.Equal(("1", "0", "/cache"), (settings["device_id"], settings["trt_fp16_enable"], settings["trt_engine_cache_path"]));
        Assert.Equal("1", GpuSettings.TensorRt(new DeviceOptions(), graph: null)["trt_fp16_enable"]);
    }

    [Fact]
    public void TensorRT_s_engines_of_one_model_are_never_taken_for_another_s()
    {
        // The same structure and file names, as two models have that were fine-tuned from one.
        string one = new OnnxFolderBuilder { ExternalData = true }.Write(), other = new OnnxFolderBuilder { ExternalData = true }.Write();
        Assert.Equal(EnginesOf(one), EnginesOf(other));

        var weights = Path.Combine(other, "unet", "model.onnx_data");
        var changed = File.ReadAllBytes(weights);
        changed[^1] ^= 1;
        File.WriteAllBytes(weights, changed);
        Assert.NotEqual(EnginesOf(one), EnginesOf(other));
        Assert.StartsWith("/cache/", EnginesOf(one));

        static string EnginesOf(string folder) =>
            GpuSettings.TensorRt(new DeviceOptions { TensorRtCache = "/cache" }, Path.Combine(folder, "unet", "model.onnx"))
                ["trt_engine_cache_path"];
    }

    [Theory]
    [InlineData(
        "Non-zero status code returned while running Conv node. Failed to allocate memory for requested buffer of size 4294967296", true)]
    [InlineData("bfc_arena.cc AllocateRawInternal Available memory of 1024 is smaller than requested bytes of 4096", true)]
    [InlineData("CUDA failure 2: out of memory ; GPU=0", true)]
    [InlineData("CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", true)]
    [InlineData("TensorRT EP: Error Code 2: OutOfMemory (no further information)", true)]
    [InlineData("Got invalid dimensions for input: sample", false)]
    public void An_out_of_memory_error_is_recognised_by_its_message(string message, bool outOfMemory) =>
        Assert.Equal(outOfMemory, Graph.IsOutOfMemoryMessage(message));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_device_that_gets_copies_generates_what_the_host_generates(bool keepsOneShape)
    {
        var folder = new OnnxFolderBuilder { Two = true, UnetTextWidth = 32 }.Write();
        var host = await GenerateAllAsync(OnnxModelTests.Open(folder));
        var copies = await GenerateAllAsync(OnnxModel.Open(folder, Device() with { KeepsOneShape = keepsOneShape }, NullLogger.Instance));
        Assert.Equal(host.Count, copies.Count);
        for (var i = 0; i < host.Count; i++)
            Assert.All(host[i].Zip(copies[i]), pixel => Assert.InRange(pixel.First - pixel.Second, -1, 1));
    }

    [Fact]
    public void What_another_number_of_rows_gave_back_is_bound_again()
    {
        using var model = OnnxModel.Open(new OnnxFolderBuilder().Write(), Device(), NullLogger.Instance);
        var latent = model.GetLatentShape(128, 128);
        var condition = new RowCondition(500, model.Encode("a cat"), 1, 128, 128);
        var first = new List<float[]>();
        foreach (var rows in new[] { 2, 1, 2, 1 })
        {
            var batch = model.PrepareBatch(latent, condition.Conditioning.Shape, rows);
            for (var row = 0; row < rows; row++)
            {
                batch.Input(row).Fill(0.5f);
                batch.SetCondition(row, condition);
            }
            batch.Run();
            first.Add(batch.Output(0).ToArray());
        }
        // Sums of another number of rows may differ in the last bit.
        Assert.All(first, output => Assert.All(output.Zip(first[0]), pair => Assert.Equal(pair.Second, pair.First, 1e-4f)));
    }

    [Fact]
    public void Where_a_change_of_rows_is_dear_more_rows_run_than_are_needed_and_the_needed_are_right()
    {
        var folder = new OnnxFolderBuilder().Write();
        using var exact = OnnxModel.Open(folder, Device(), NullLogger.Instance);
        using var padded = OnnxModel.Open(folder, Device() with { KeepsOneShape = true }, NullLogger.Instance);
        var latent = exact.GetLatentShape(128, 128);
        var conditionings = Enumerable.Range(0, 8).Select(i => exact.Encode($"cat {i}")).ToList();
        Run(padded, [0, 1, 2, 3, 4, 5]);
        Assert.Equal(6, padded.PrepareBatch(latent, conditionings[0].Shape, 1).RowsRun);
        Assert.Equal(1, exact.PrepareBatch(latent, conditionings[0].Shape, 1).RowsRun);
        // Rows come and go, and others take their places.
        foreach (var members in new int[][] { [0, 1, 2, 3, 4, 5], [6], [0, 7, 6], [5, 4, 3, 2, 1, 0, 7], [2] })
        {
            var (one, other) = (Run(exact, members), Run(padded, members));
            Assert.All(one.Zip(other), row => Assert.All(row.First.Zip(row.Second), pair => Assert.Equal(pair.First, pair.Second, 1e-4f)));
        }

        List<float[]> Run(OnnxModel model, int[] members)
        {
            var batch = model.PrepareBatch(latent, conditionings[0].Shape, members.Length);
            for (var row = 0; row < members.Length; row++)
            {
                batch.Input(row).Fill(members[row] * 0.1f);
                batch.SetCondition(row, new RowCondition(100 * members[row], conditionings[members[row]], 1, 128, 128));
            }
            batch.Run();
            return [.. members.Select((_, row) => batch.Output(row).ToArray())];
        }
    }

    // The CPU in the part of a device: what is bound, given back and bound again is right, if not what a GPU makes of it.
    static ExecutionProvider Device() =>
        ExecutionProvider.Choose("cpu", new DeviceOptions { Threads = 1 }, NullLogger.Instance) with { OnHost = false };

    // Of two sizes, with prompts of two lengths, that join and leave at different steps.
    static async Task<List<byte[]>> GenerateAllAsync(IDiffusionModel model)
    {
        await using var engine = await EngineUnderTest.StartAsync(model, new EngineOptions { MaxBatchSize = 4 });
        for (var i = 0; i < 4; i++)
        {
            var prompt = i == 3 ? string.Concat(Enumerable.Repeat("sea ", 40)) : null;
            engine.Submit(Requests.Of(
                $"r{i}", steps: 2 + 3 * i, size: i % 2 == 0 ? 128 : 64, guidance: i == 1 ? 1 : 5, prompt: prompt));
        }
        var images = new List<byte[]>();
        for (var i = 0; i < 4; i++)
            images.Add(await engine.ImageOf($"r{i}"));
        return images;
    }

    static string Refused(string device) =>
        Assert.Throws<ArgumentException>(() => ExecutionProvider.Choose(device, new DeviceOptions(), NullLogger.Instance)).Message;
}
