namespace Muse.Diffusion;

/// <summary>
/// What a folder's <c>model_index.json</c> may say under <c>_muse</c>: defaults and sizes that the other files don't say. Null where it
/// says nothing.
/// </summary>
public sealed record MuseSection
{
    /// <summary>Steps where none are requested (<c>defaults.steps</c>).</summary>
    public int? Steps { get; init; }
    /// <summary>Guidance scale where none is requested (<c>defaults.guidance_scale</c>).</summary>
    public float? GuidanceScale { get; init; }
    /// <summary>The highest timestep at which guidance acts without a negative prompt (<c>defaults.guidance_max_timestep</c>).</summary>
    public float? GuidanceMaxTimestep { get; init; }
    /// <summary>Strength for an image without a mask where none is requested (<c>defaults.strength</c>).</summary>
    public double? Strength { get; init; }
    /// <summary>Strength for an image with a mask where none is requested (<c>defaults.masked_strength</c>).</summary>
    public double? MaskedStrength { get; init; }
    /// <summary>
    /// Sampler for an image with a mask where none is requested (<c>defaults.masked_sampler</c>), a name of <see cref="Samplers.Names"/>.
    /// </summary>
    public string? MaskedSampler { get; init; }
    /// <summary>Pixels (<c>defaults.width</c>).</summary>
    public int? Width { get; init; }
    /// <summary>Pixels (<c>defaults.height</c>).</summary>
    public int? Height { get; init; }
    /// <summary>Smallest width and height, pixels (<c>sizes.min</c>).</summary>
    public int? MinSize { get; init; }
    /// <summary>Largest width and height, pixels (<c>sizes.max</c>).</summary>
    public int? MaxSize { get; init; }
    /// <summary>Width and height are multiples of this, pixels (<c>sizes.multiple</c>).</summary>
    public int? SizeMultiple { get; init; }

    internal static MuseSection Read(JsonFile index)
    {
        var muse = index.Object("_muse");
        var (defaults, sizes) = (muse.Object("defaults"), muse.Object("sizes"));
        return new MuseSection
        {
            Steps = defaults.Whole("steps", 1, 1000),
            GuidanceScale = (float?)defaults.Number("guidance_scale", 0, ModelTraits.MaxGuidanceScale),
            GuidanceMaxTimestep = (float?)defaults.Number("guidance_max_timestep", 0, 1000),
            Strength = defaults.Number("strength", 0.01, 1),
            MaskedStrength = defaults.Number("masked_strength", 0.01, 1),
            MaskedSampler = defaults.Choice("masked_sampler", Samplers.Names),
            Width = defaults.Whole("width", 8, 16384),
            Height = defaults.Whole("height", 8, 16384),
            MinSize = sizes.Whole("min", 8, 16384),
            MaxSize = sizes.Whole("max", 8, 16384),
            SizeMultiple = sizes.Whole("multiple", 1, 1024),
        };
    }
}
