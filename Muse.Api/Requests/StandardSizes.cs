using Muse.Queue;

namespace Muse.Api;

/// <summary>
/// OpenAI's own sizes, which clients send without asking what a model supports. A model that lacks one generates the nearest size that it
/// has.
/// </summary>
static class StandardSizes
{
    static readonly HashSet<(int Width, int Height)> All =
        [(256, 256), (512, 512), (1024, 1024), (1536, 1024), (1024, 1536), (1792, 1024), (1024, 1792)];

    /// <summary>
    /// How much a difference in area counts against one in aspect ratio: images should first of all have the right shape.
    /// </summary>
    const double AreaWeight = 0.1;

    /// <summary>Whether this is one of OpenAI's sizes.</summary>
    public static bool Contains(int width, int height) => All.Contains((width, height));

    /// <summary>The size of the model that is nearest in aspect ratio and area, pixels.</summary>
    public static (int Width, int Height) Nearest(int width, int height, ModelCard card)
    {
        var sides = Sides(card).ToList();
        return sides.SelectMany(_ => sides, (w, h) => (Width: w, Height: h)).MinBy(size =>
            Math.Abs(Math.Log((double)size.Width / size.Height * height / width))
            + AreaWeight * Math.Abs(Math.Log((double)size.Width * size.Height / width / height)));
    }

    static IEnumerable<int> Sides(ModelCard card)
    {
        var smallest = (card.MinSize + card.SizeMultiple - 1) / card.SizeMultiple * card.SizeMultiple;
        for (var side = smallest; side <= card.MaxSize; side += card.SizeMultiple)
            yield return side;
    }
}
