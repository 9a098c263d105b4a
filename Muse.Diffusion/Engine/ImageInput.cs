using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Muse.Diffusion;

/// <summary>An image to start from, and which part of it to generate anew: image-to-image, or inpainting where there is a mask.</summary>
/// <remarks>Two are equal when their pixels, masks and strengths are.</remarks>
public sealed record ImageInput
{
    readonly Lazy<string> contentHash;

    /// <summary>Makes an input.</summary>
    public ImageInput() => contentHash = new Lazy<string>(HashContent);

    // A copy may get another image or mask, so it computes a hash of its own.
    ImageInput(ImageInput original)
    {
        (Image, Mask, Strength) = (original.Image, original.Mask, original.Strength);
        contentHash = new Lazy<string>(HashContent);
    }

    /// <summary>The image, opaque, of the request's width and height.</summary>
    public required RgbImage Image { get; init; }

    /// <summary>
    /// One byte for each pixel, rows from the top: 0 keeps the pixel, 255 generates it anew, and what lies between does both in proportion.
    /// Null where the whole image is generated anew.
    /// </summary>
    public byte[]? Mask { get; init; }

    /// <summary>How far the run goes back towards noise, above 0 to 1. About this share of the steps runs.</summary>
    public required double Strength { get; init; }

    /// <summary>A hash (SHA-256, hexadecimal digits) of the image's size and pixels and of the mask, computed once.</summary>
    public string ContentHash => contentHash.Value;

    /// <inheritdoc/>
    public bool Equals(ImageInput? other) =>
        ReferenceEquals(this, other) || (other is not null && Strength.Equals(other.Strength) && ContentHash == other.ContentHash);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(ContentHash, Strength);

    string HashContent()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> header = stackalloc byte[9];
        BinaryPrimitives.WriteInt32LittleEndian(header, Image.Width);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], Image.Height);
        header[8] = Mask is null ? (byte)0 : (byte)1;
        hash.AppendData(header);
        hash.AppendData(Image.Pixels);
        if (Mask is not null)
            hash.AppendData(Mask);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
