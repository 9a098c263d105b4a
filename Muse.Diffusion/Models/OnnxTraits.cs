namespace Muse.Diffusion;

/// <summary>What a model folder can do: what it says under <c>_muse</c>, or else what its kind is known for.</summary>
static class OnnxTraits
{
    /// <param name="manifest">The folder.</param>
    /// <param name="device">The device's name.</param>
    /// <param name="fixedHeight">Height of the latent where the graph allows but one.</param>
    /// <param name="fixedWidth">Width of the latent where the graph allows but one.</param>
    /// <param name="safetyChecker">Whether there is a safety checker.</param>
    public static ModelTraits Of(ModelManifest manifest, string device, int? fixedHeight, int? fixedWidth, bool safetyChecker)
    {
        var muse = manifest.Muse;
        var cell = manifest.PixelsPerCell;
        var native = (manifest.SampleSize ?? 64) * cell;
        int width = fixedWidth * cell ?? muse.Width ?? native, height = fixedHeight * cell ?? muse.Height ?? native;
        var samplers = Samplers.AvailableFor(manifest.Scheduler);
        var consistency = samplers[0] == "lcm";
        var traits = new ModelTraits
        {
            Name = manifest.Name,
            Device = device,
            MinSize = fixedWidth * cell ?? muse.MinSize ?? Math.Max(cell, Math.Min(width, height) / 4),
            MaxSize = fixedWidth * cell ?? muse.MaxSize ?? 2 * Math.Max(width, height),
            SizeMultiple = muse.SizeMultiple ?? cell,
            DefaultWidth = width,
            DefaultHeight = height,
            DefaultSteps = muse.Steps ?? (consistency ? 4 : 20),
            MaxSteps = Math.Min(150, Samplers.Create(manifest.Scheduler).MaxSteps),
            DefaultGuidanceScale = muse.GuidanceScale ?? (consistency ? 1 : 7.5f),
            GuidanceMaxTimestep = muse.GuidanceMaxTimestep ?? float.PositiveInfinity,
            Samplers = samplers,
            SafetyChecker = safetyChecker,
        };
        return (traits.SizeProblem("Width", width) ?? traits.SizeProblem("Height", height)) is { } problem
            ? throw new ModelFolderException($"{manifest.Name}/model_index.json", $"the default size can't be painted: {problem}")
            : traits;
    }
}
