using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>Opens models.</summary>
public static class DiffusionModels
{
    /// <summary>Opens a model.</summary>
    /// <param name="folder">Its folder. A simulated device takes sizes and defaults from it where it is there, and its name in any
    /// case.</param>
    /// <param name="device"><c>auto</c>, <c>cpu</c>, <c>cuda</c>, <c>tensorrt</c>, <c>plugin:/path/to/library</c>, or <c>simulated</c> with
    /// its costs (<see cref="SimulationSpec"/>).</param>
    /// <param name="options">How the device is used.</param>
    /// <param name="time">The clock that simulated costs pass on.</param>
    /// <param name="logger">Where the choice of the device, its reason, and warnings about the folder go.</param>
    /// <exception cref="ModelFolderException">The folder can't be used.</exception>
    /// <exception cref="ArgumentException">The device can't.</exception>
    public static IDiffusionModel Open(string folder, string device, DeviceOptions options, TimeProvider time, ILogger logger)
    {
        if (SimulationSpec.IsSimulated(device))
            return OpenSimulated(folder, SimulationSpec.Parse(device), time);
        var provider = ExecutionProvider.Choose(device, options, logger);
        var t5Provider = options.T5 == T5Placement.Cpu && !provider.OnHost ? ExecutionProvider.Choose("cpu", options, logger) : provider;
        var opened = ModelFolder.Open(folder, withoutT5: options.T5 == T5Placement.None);
        if (options.T5 != T5Placement.Device && opened.T5Encoder is null)
            EngineLog.ModelWarning(logger, opened.Name, $"Device:T5 is {options.T5}, but none of its text encoders is known to be T5.");
        return OnnxModel.Open(opened, provider, t5Provider, options.DecodeTile, logger);
    }

    static SimulatedModel OpenSimulated(string path, SimulationSpec spec, TimeProvider time)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        if (!File.Exists(Path.Combine(path, "model_index.json")))
            return new SimulatedModel(name, spec, time);
        var folder = ModelFolder.Open(path);
        ModelFamilies.DenoiserOf(folder);
        var family = ModelFamilies.Of(folder, denoiserInputs: [], ModelFamilies.All);
        var traits = FolderTraits.Of(family, "simulated", fixedCells: default, safetyChecker: false, imageEncoder: true);
        return new SimulatedModel(name, spec, time, traits);
    }
}
