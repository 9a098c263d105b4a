using System.Globalization;

namespace Muse.Diffusion;

/// <summary>Reads <see cref="EngineOptions.WarmUpSizes"/>.</summary>
static class WarmUpSizes
{
    /// <summary>The sizes, each once, in the order in which they are named; the model's default size when none is.</summary>
    /// <exception cref="ArgumentException">One is no size, or none that the model can generate.</exception>
    public static IReadOnlyList<(int Width, int Height)> Read(string? setting, ModelTraits traits) =>
        string.IsNullOrWhiteSpace(setting)
            ? [(traits.DefaultWidth, traits.DefaultHeight)]
            : [.. setting.Split(',', StringSplitOptions.TrimEntries).Select(size => One(size, traits)).Distinct()];

    static (int Width, int Height) One(string size, ModelTraits traits)
    {
        if (size.Split('x') is not [var first, var second] || Pixels(first) is not { } width || Pixels(second) is not { } height)
            throw new ArgumentException($"Engine:WarmUpSizes: '{size}' is not a size; sizes are written as 512x512, with commas between.");
        if ((traits.WidthProblem(width) ?? traits.HeightProblem(height)) is { } problem)
            throw new ArgumentException($"Engine:WarmUpSizes: the model '{traits.Name}' can't generate {size}. {problem}");
        return (width, height);
    }

    static int? Pixels(string number) =>
        int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var pixels) ? pixels : null;
}
