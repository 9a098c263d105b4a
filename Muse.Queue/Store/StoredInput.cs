using System.Globalization;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>
/// Points to a job's input in the store: the compressed image, then the compressed mask. Redis holds it as <c>{image} {pointer}</c>.
/// </summary>
/// <param name="ImageLength">The length of the compressed image, bytes. The rest is the mask.</param>
/// <param name="Object">The object.</param>
readonly record struct StoredInput(int ImageLength, StoredObject Object)
{
    /// <summary>The field of the input's hash that has the pointer.</summary>
    public static readonly RedisValue Field = "object";

    /// <summary>The content of the object.</summary>
    public static byte[] Join(InputPixels pixels)
    {
        var bytes = new byte[pixels.Image.Length + pixels.Mask.Length];
        pixels.Image.CopyTo(bytes);
        pixels.Mask.CopyTo(bytes.AsMemory(pixels.Image.Length));
        return bytes;
    }

    /// <summary>The pixels from the content of the object.</summary>
    public InputPixels Split(ReadOnlyMemory<byte> bytes) => new(bytes[..ImageLength], bytes[ImageLength..]);

    /// <summary>Reads a pointer. Null if it is not one.</summary>
    public static StoredInput? Parse(RedisValue value)
    {
        var text = value.ToString();
        var space = text.IndexOf(' ');
        return space > 0 && int.TryParse(text.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            && StoredObject.Parse(text.AsSpan(space + 1)) is { } stored && length <= stored.Length
            ? new StoredInput(length, stored)
            : null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{ImageLength} {Object}");
}
