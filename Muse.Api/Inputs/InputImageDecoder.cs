using System.Globalization;
using Microsoft.Extensions.Options;
using SkiaSharp;

namespace Muse.Api;

/// <summary>How a mask says what to generate anew.</summary>
public enum MaskMode
{
    /// <summary>Where it is transparent, as in OpenAI's API.</summary>
    Alpha,
    /// <summary>Where it is white, as in most other programs.</summary>
    WhiteIsEdit,
    /// <summary>Where it is black.</summary>
    BlackIsEdit,
}

/// <summary>Decodes the image files of requests, within limits: PNG, JPEG and WebP of any depth, palette and colour space.</summary>
/// <remarks>
/// The size in a file's header is checked before its pixels are decoded, so that a small file can't take much memory. At most one file for
/// each processor is decoded at a time.
/// </remarks>
public sealed class InputImageDecoder(IOptions<ApiOptions> options)
{
    const int BytesPerPixel = 4;

    readonly SemaphoreSlim decoding = new(Environment.ProcessorCount);

    /// <summary>Decodes an image and its mask.</summary>
    /// <param name="image">The image and the name of its field.</param>
    /// <param name="mask">The mask; null for none. Without one, an image with transparent pixels is its own mask.</param>
    /// <param name="mode">How the mask is to be read.</param>
    /// <param name="cancellation">The end of the request.</param>
    /// <param name="scaleMask">Whether a mask of another size than the image's is scaled to it, instead of refused.</param>
    public async Task<(DecodedInput? Input, ApiError? Error)> DecodeAsync((string Field, InputFile File) image, InputFile? mask,
        MaskMode mode, CancellationToken cancellation, bool scaleMask = false)
    {
        await decoding.WaitAsync(cancellation);
        try
        {
            return await Task.Run(() => Decode(image, mask, mode, scaleMask), cancellation);
        }
        catch (InputImageException exception)
        {
            return (null, ApiError.Invalid(exception.Field, exception.Message));
        }
        finally
        {
            decoding.Release();
        }
    }

    (DecodedInput? Input, ApiError? Error) Decode((string Field, InputFile File) imageFile, InputFile? maskFile, MaskMode mode,
        bool scaleMask)
    {
        var warnings = new List<string>();
        using var image = Decode(imageFile.Field, imageFile.File, warnings);
        var transparency = image.AlphaType == SKAlphaType.Opaque ? null : Transparency(image);
        var mask = transparency;
        if (maskFile is { } file)
        {
            using var decoded = Decode("mask", file, warnings);
            using var scaled = scaleMask ? decoded.Resize(new SKSizeI(image.Width, image.Height), SKSamplingOptions.Default) : null;
            var bitmap = scaled ?? decoded;
            if (bitmap.Width != image.Width || bitmap.Height != image.Height)
            {
                throw new InputImageException("mask", string.Create(CultureInfo.InvariantCulture,
                    $"'mask' must have the size of the image, {image.Width}x{image.Height}; it is {bitmap.Width}x{bitmap.Height}."));
            }
            mask = mode switch
            {
                MaskMode.Alpha => Transparency(bitmap),
                MaskMode.WhiteIsEdit => Luminance(bitmap),
                _ => Darkness(bitmap),
            };
            if (mask is null)
            {
                throw new InputImageException("mask", mode switch
                {
                    MaskMode.Alpha => "'mask' has no transparent pixels, which are the ones to edit. If white pixels are, set "
                        + "'mask_mode' to white_is_edit.",
                    MaskMode.WhiteIsEdit => "'mask' has no white pixels, which are the ones to edit.",
                    _ => "'mask' has no black pixels, which are the ones to edit.",
                });
            }
        }

        return (new DecodedInput(image.Width, image.Height, Opaque(image), mask, warnings), null);
    }

    SKBitmap Decode(string field, InputFile file, List<string> warnings)
    {
        if (file.Problem is { } problem)
            throw new InputImageException(field, $"'{field}' {problem}");
        if (file.Bytes.Length > options.Value.MaxInputBytes)
        {
            throw new InputImageException(field, string.Create(CultureInfo.InvariantCulture,
                $"'{field}' has {file.Bytes.Length} bytes; at most {options.Value.MaxInputBytes} are allowed."));
        }
        using var data = SKData.CreateCopy(file.Bytes.Span);
        using var codec = SKCodec.Create(data);
        if (codec is not { EncodedFormat: SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg or SKEncodedImageFormat.Webp })
            throw new InputImageException(field, $"'{field}' must be a PNG, JPEG or WebP file.");
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        if ((long)width * height > options.Value.MaxInputPixels)
        {
            throw new InputImageException(field, string.Create(CultureInfo.InvariantCulture,
                $"'{field}' is {width}x{height}; at most {options.Value.MaxInputPixels} pixels are allowed."));
        }
        if (codec.FrameCount > 1)
            warnings.Add($"'{field}' is animated; its first frame was used.");
        var info = new SKImageInfo(width, height, SKColorType.Rgba8888,
            codec.Info.AlphaType == SKAlphaType.Opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul, SKColorSpace.CreateSrgb());
        var bitmap = new SKBitmap(info);
        // A truncated file is refused: its missing pixels would count as black.
        if (codec.GetPixels(info, bitmap.GetPixels()) != SKCodecResult.Success)
        {
            bitmap.Dispose();
            throw new InputImageException(field, $"'{field}' is damaged, or not complete.");
        }
        return ApplyOrientation(bitmap, codec.EncodedOrigin);
    }

    /// <summary>Turns the bitmap by the file's Exif orientation (1 is upright).</summary>
    static SKBitmap ApplyOrientation(SKBitmap bitmap, SKEncodedOrigin origin)
    {
        if (origin is SKEncodedOrigin.TopLeft or SKEncodedOrigin.Default)
            return bitmap;
        using var source = bitmap;
        var turned = origin >= SKEncodedOrigin.LeftTop;
        var (width, height) = turned ? (source.Height, source.Width) : (source.Width, source.Height);
        var upright = new SKBitmap(source.Info.WithSize(width, height));
        var from = source.GetPixelSpan();
        var to = upright.GetPixelSpan();
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (sourceX, sourceY) = origin switch
                {
                    SKEncodedOrigin.TopRight => (width - 1 - x, y),
                    SKEncodedOrigin.BottomRight => (width - 1 - x, height - 1 - y),
                    SKEncodedOrigin.BottomLeft => (x, height - 1 - y),
                    SKEncodedOrigin.LeftTop => (y, x),
                    SKEncodedOrigin.RightTop => (y, width - 1 - x),
                    SKEncodedOrigin.RightBottom => (height - 1 - y, width - 1 - x),
                    _ => (height - 1 - y, x),
                };
                from.Slice(BytesPerPixel * (sourceY * source.Width + sourceX), BytesPerPixel)
                    .CopyTo(to[(BytesPerPixel * (y * width + x))..]);
            }
        }
        return upright;
    }

    /// <summary>255 where a pixel is transparent; null where all are opaque.</summary>
    static byte[]? Transparency(SKBitmap bitmap) => MaskOf(bitmap, static pixel => (byte)(255 - pixel[3]));

    /// <summary>The brightness of each pixel (Rec. 601), transparent ones as black; null where all are black.</summary>
    static byte[]? Luminance(SKBitmap bitmap) =>
        MaskOf(bitmap, static pixel => (byte)((299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]) * pixel[3] / 255_000));

    /// <summary>The opposite of the brightness; null where all pixels are white.</summary>
    static byte[]? Darkness(SKBitmap bitmap) =>
        MaskOf(bitmap, static pixel => (byte)(255 - (299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2]) * pixel[3] / 255_000));

    static byte[]? MaskOf(SKBitmap bitmap, Func<ReadOnlySpan<byte>, byte> value)
    {
        var pixels = bitmap.GetPixelSpan();
        var mask = new byte[bitmap.Width * bitmap.Height];
        for (var i = 0; i < mask.Length; i++)
            mask[i] = value(pixels.Slice(BytesPerPixel * i, BytesPerPixel));
        return mask.AsSpan().ContainsAnyExcept((byte)0) ? mask : null;
    }

    /// <summary>The pixels with full alpha. Transparent ones keep their colour in the file: transparency is a mask here.</summary>
    static byte[] Opaque(SKBitmap bitmap)
    {
        var pixels = bitmap.GetPixelSpan().ToArray();
        for (var i = 3; i < pixels.Length; i += BytesPerPixel)
            pixels[i] = 255;
        return pixels;
    }

    /// <summary>A file that can't be used.</summary>
    sealed class InputImageException(string name, string message) : Exception(message)
    {
        public string Field => name;
    }
}
