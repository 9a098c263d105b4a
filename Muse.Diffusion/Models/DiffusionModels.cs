using Microsoft.Extensions.Logging;

namespace Muse.Diffusion;

/// <summary>The one door to models.</summary>
public static class DiffusionModels
{
    /// <summary>Opens a model.</summary>
    /// <param name="folder">Its folder. A simulated device takes sizes and defaults from it where it is there, and its name in any case.</param>
    /// <param name="device"><c>auto</c>, <c>cpu</c>, <c>cuda</c>, <c>tensorrt</c>, <c>plugin:/path/to/library</c>, or <c>simulated</c> with its costs (<see cref="SimulationSpec"/>).</param>
    /// <param name="options">How the device is used.</param>
    /// <param name="time">The clock that simulated costs pass on.</param>
    /// <param name="logger">Where the choice of the device and its reason go.</param>
    /// <exception cref="ModelFolderException">The folder can't be used.</exception>
    /// <exception cref="ArgumentException">The device can't.</exception>
    public static IDiffusionModel Open(string folder, string device, DeviceOptions options, TimeProvider time, ILogger logger)
    {
        if (SimulationSpec.IsSimulated(device))
            return OpenSimulated(folder, SimulationSpec.Parse(device), time);
        return OnnxModel.Open(folder, ExecutionProvider.Choose(device, options, logger));
    }

    static SimulatedModel OpenSimulated(string folder, SimulationSpec spec, TimeProvider time)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
        var sizes = File.Exists(Path.Combine(folder, "model_index.json"))
            ? OnnxTraits.Of(ModelManifest.Read(folder, preferHalf: false), "simulated", fixedHeight: null, fixedWidth: null, safetyChecker: false)
            : null;
        return new SimulatedModel(name, spec, time, sizes);
    }
}
