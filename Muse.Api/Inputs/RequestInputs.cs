namespace Muse.Api;

/// <summary>Reads the input image of a request, if it has one.</summary>
public sealed class RequestInputs(InputImageDecoder decoder)
{
    /// <summary>Decodes the image and the mask of a request.</summary>
    /// <param name="fields">The request.</param>
    /// <param name="required">Whether the request must have an image.</param>
    /// <param name="cancellation">The end of the request.</param>
    /// <returns>The input, or null where the request has none; or what is wrong.</returns>
    public async Task<(DecodedInput? Input, ApiError? Error)> ReadAsync(ImageRequestFields fields, bool required,
        CancellationToken cancellation)
    {
        var validation = new FieldValidation();
        var mode = validation.OneOf("mask_mode", fields.InputMaskMode, "alpha", "white_is_edit");
        if (fields.InputImages is not { Count: > 0 } images)
        {
            if (required)
                validation.Fail("image", "'image' is missing: an edit needs a PNG, JPEG or WebP file.");
            else if (fields.InputMask is not null)
                validation.Fail("mask", "'mask' has no meaning without 'image'.");
            else if (fields.InputStrength is not null)
                validation.Fail("strength", "'strength' has no meaning without 'image'.");
            return (null, validation.Error);
        }
        if (images.Count > 1)
            validation.Fail("image", $"'image' must be one image; there are {images.Count}. The models here edit one image at a time.");
        if (validation.Error is { } error)
            return (null, error);
        return await decoder.DecodeAsync(("image", images[0]), fields.InputMask,
            mode == "white_is_edit" ? MaskMode.WhiteIsEdit : MaskMode.Alpha, cancellation);
    }
}
