using Muse.Queue;
using SkiaSharp;

namespace Muse.Tests.Chaos;

/// <summary>
/// The image that clients edit, its mask, and what the queue must hold of both. It has the model's own size, so its pixels reach the worker
/// as they are.
/// </summary>
static class EditedImage
{
    /// <summary>Width and height, pixels.</summary>
    public const int Side = 128;

    public static readonly JobInput Input = new() { Strength = 0.6, HasMask = true, ContentWidth = Side, ContentHeight = Side };

    static readonly byte[] Image = [.. Enumerable.Range(0, 3 * Side * Side).Select(i => (byte)(i / 3 % Side))];
    static readonly byte[] Mask = [.. Enumerable.Range(0, Side * Side).Select(i => i % Side < Side / 2 ? byte.MaxValue : (byte)0)];

    public static readonly InputPixels Pixels = InputPixels.Compress(Image, Mask);
    public static readonly string ImageUrl = Url(i => new(Image[3 * i], Image[3 * i + 1], Image[3 * i + 2]));
    public static readonly string MaskUrl = Url(i => new(0, 0, 0, (byte)(255 - Mask[i])));

    static string Url(Func<int, SKColor> pixel)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(Side, Side, SKColorType.Rgba8888, SKAlphaType.Unpremul))
        {
            Pixels = [.. Enumerable.Range(0, Side * Side).Select(pixel)],
        };
        using var png = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return $"data:image/png;base64,{Convert.ToBase64String(png.Span)}";
    }
}
