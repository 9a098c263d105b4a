namespace Muse.Diffusion;

/// <summary>What a model folder can do: what it says under <c>_muse</c>, or else its family's defaults.</summary>
static class FolderTraits
{
    /// <param name="family">The folder's family.</param>
    /// <param name="device">The device's name.</param>
    /// <param name="fixedCells">Width and height of the latent where the graph allows only one.</param>
    /// <param name="safetyChecker">Whether there is a safety checker.</param>
    /// <param name="imageEncoder">Whether there is an image encoder.</param>
    public static ModelTraits Of(ModelFamily family, string device, (int? Width, int? Height) fixedCells, bool safetyChecker,
        bool imageEncoder)
    {
        var (folder, latents) = (family.Folder, family.Latents);
        var muse = folder.Muse;
        var cell = latents.PixelsPerCell;
        var (nativeWidth, nativeHeight) = NativeSize(family);
        int? fixedWidth = fixedCells.Width * cell, fixedHeight = fixedCells.Height * cell;
        int width = fixedWidth ?? muse.Width ?? nativeWidth * cell, height = fixedHeight ?? muse.Height ?? nativeHeight * cell;
        var sampler = Samplers.Create(family.Scheduler);
        var traits = new ModelTraits
        {
            Name = folder.Name,
            Device = device,
            MinSize = Least(fixedWidth, fixedHeight) ?? muse.MinSize ?? Math.Max(latents.SizeMultiple, Math.Min(width, height) / 4),
            MaxSize = Most(fixedWidth, fixedHeight) ?? muse.MaxSize ?? 2 * Math.Max(width, height),
            SizeMultiple = Multiple(muse.SizeMultiple, latents.SizeMultiple),
            FixedWidth = fixedWidth,
            FixedHeight = fixedHeight,
            DefaultWidth = width,
            DefaultHeight = height,
            DefaultSteps = muse.Steps ?? family.DefaultSteps,
            MaxSteps = Math.Min(150, sampler.MaxSteps),
            DefaultGuidanceScale = muse.GuidanceScale ?? family.DefaultGuidanceScale,
            GuidanceMaxTimestep = muse.GuidanceMaxTimestep ?? float.PositiveInfinity,
            Samplers = Samplers.AvailableFor(family.Scheduler),
            SafetyChecker = safetyChecker,
            ImageInput = imageEncoder,
            RequiresMask = family.Inputs.Any(input => input.ImageChannels > 0),
            RoundsStepsUp = sampler.RoundsStepsUp,
        };
        traits = traits with
        {
            DefaultStrength = muse.Strength ?? traits.DefaultStrength,
            DefaultMaskedStrength = muse.MaskedStrength ?? traits.DefaultMaskedStrength,
            DefaultMaskedSampler = muse.MaskedSampler,
        };
        if (muse.MaskedSampler is { } masked && !traits.Samplers.Contains(masked))
        {
            throw folder.Refused("model_index.json",
                $"the sampler '{masked}' does not suit this model; it can use {string.Join(", ", traits.Samplers)}.");
        }
        return (traits.WidthProblem(width) ?? traits.HeightProblem(height)) is { } problem
            ? throw folder.Refused("model_index.json", $"the default size can't be generated: {problem}")
            : traits;
    }

    /// <summary>The size in cells that the denoiser was made for: <c>sample_size</c> is a number, or a list of height and width.</summary>
    static (int Width, int Height) NativeSize(ModelFamily family)
    {
        var config = family.Folder.Json($"{family.Denoiser}/config.json");
        if (config.IsList("sample_size"))
        {
            var size = config.Numbers("sample_size", 1, 4096, count: 2)!;
            return ((int)size[1], (int)size[0]);
        }
        var side = config.Whole("sample_size", 1, 4096) ?? family.DefaultCells;
        return (side, side);
    }

    // A graph that fixes one side alone leaves the other to the rules.
    static int? Least(int? a, int? b) => a is { } width && b is { } height ? Math.Min(width, height) : null;

    static int? Most(int? a, int? b) => a is { } width && b is { } height ? Math.Max(width, height) : null;

    // The least common multiple: the folder may ask for larger steps, and the UNet must still be able to halve every size.
    static int Multiple(int? said, int needed)
    {
        if (said is not { } multiple)
            return needed;
        var (a, b) = (multiple, needed);
        while (b != 0)
            (a, b) = (b, a % b);
        return multiple / a * needed;
    }
}
