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
        return OnnxModel.Open(folder, ExecutionProvider.Choose(device, options, logger), logger);
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
