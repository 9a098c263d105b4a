using Muse.Queue;
using SkiaSharp;

namespace Muse.Api;

/// <summary>Where an input image is placed in the image that the model works on.</summary>
/// <param name="Width">Width of the model's image, pixels.</param>
/// <param name="Height">Height of the model's image, pixels.</param>
/// <param name="ContentWidth">Width of the input in it, from the left, pixels; the rest is padding.</param>
/// <param name="ContentHeight">Height of the input in it, from the top, pixels.</param>
public readonly record struct InputPlacement(int Width, int Height, int ContentWidth, int ContentHeight);

/// <summary>Brings input images to sizes that the model can work on.</summary>
static class InputFitting
{
    /// <summary>Inputs whose area is within this factor of the model's own keep their size and their pixels.</summary>
    const double AreaKept = 2;

    /// <summary>
    /// Where an input is placed if the request names no size. Its aspect ratio is kept, its area is brought near to the model's default,
    /// and its sides are padded to the model's multiples.
    /// </summary>
    public static InputPlacement Place(int width, int height, ModelCard card)
    {
        var ratio = (double)width * height / ((double)card.DefaultWidth * card.DefaultHeight);
        var scale = ratio is <= AreaKept and >= 1 / AreaKept ? 1 : Math.Sqrt(1 / ratio);
        var largest = card.MaxSize / card.SizeMultiple * card.SizeMultiple;
        scale = Math.Min(scale, (double)largest / Math.Max(width, height));
        var (contentWidth, contentHeight) = (Scaled(width), Scaled(height));
        return new(Padded(contentWidth), Padded(contentHeight), contentWidth, contentHeight);

        int Scaled(int side) => Math.Clamp((int)Math.Round(side * scale), 1, largest);
        int Padded(int side) => (Math.Max(side, card.MinSize) + card.SizeMultiple - 1) / card.SizeMultiple * card.SizeMultiple;
    }

    /// <summary>
    /// The pixels of the model's image. An input of another aspect ratio than the content is cropped around its centre. The padding repeats
    /// the edge, and is not masked.
    /// </summary>
    public static InputPixels Fit(DecodedInput input, InputPlacement placement)
    {
        var (width, height, contentWidth, contentHeight) = placement;
        var image = Scale(input.Pixels, SKColorType.Rgb888x, 4, input, contentWidth, contentHeight);
        var mask = input.Mask is null ? null : Scale(input.Mask, SKColorType.Gray8, 1, input, contentWidth, contentHeight);
        var rgb = new byte[3 * width * height];
        var paddedMask = mask is null ? null : new byte[width * height];
        for (var y = 0; y < height; y++)
        {
            var row = Math.Min(y, contentHeight - 1) * contentWidth;
            for (var x = 0; x < width; x++)
            {
                var from = row + Math.Min(x, contentWidth - 1);
                image.AsSpan(4 * from, 3).CopyTo(rgb.AsSpan(3 * (y * width + x)));
                if (paddedMask is not null && x < contentWidth && y < contentHeight)
                    paddedMask[y * width + x] = mask![from];
            }
        }
        return InputPixels.Compress(rgb, paddedMask);
    }

    static byte[] Scale(byte[] pixels, SKColorType color, int bytesPerPixel, DecodedInput input, int width, int height)
    {
        if (input.Width == width && input.Height == height)
            return pixels;
        var info = new SKImageInfo(input.Width, input.Height, color, SKAlphaType.Opaque);
        var crop = Crop(input, width, height);
        // Averages where it becomes smaller, a cubic where it becomes larger.
        var sampling = crop.Width > width || crop.Height > height
            ? new SKSamplingOptions(SKFilterMode.Linear, SKMipmapMode.Linear)
            : new SKSamplingOptions(SKCubicResampler.Mitchell);
        using var whole = SKImage.FromPixelCopy(info, pixels);
        using var part = whole.Subset(crop);
        using var scaled = new SKBitmap(info.WithSize(width, height));
        using var target = scaled.PeekPixels();
        if (!part.ScalePixels(target, sampling))
            throw new InvalidOperationException($"{crop.Width}x{crop.Height} pixels could not be scaled to {width}x{height}.");
        return scaled.GetPixelSpan()[..(bytesPerPixel * width * height)].ToArray();
    }

    static SKRectI Crop(DecodedInput input, int width, int height)
    {
        var scale = Math.Min((double)input.Width / width, (double)input.Height / height);
        var cropWidth = Math.Clamp((int)Math.Round(width * scale), 1, input.Width);
        var cropHeight = Math.Clamp((int)Math.Round(height * scale), 1, input.Height);
        return SKRectI.Create((input.Width - cropWidth) / 2, (input.Height - cropHeight) / 2, cropWidth, cropHeight);
    }
}
