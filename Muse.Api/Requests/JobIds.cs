using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace Muse.Api;

/// <summary>Random ids and seeds, from the system's cryptographic generator.</summary>
static class JobIds
{
    /// <summary>A new id: 144 random bits, so that it can't be guessed.</summary>
    public static string New()
    {
        Span<byte> random = stackalloc byte[18];
        RandomNumberGenerator.Fill(random);
        return $"gen_{Base64Url.EncodeToString(random)}";
    }

    /// <summary>A seed of 32 bits: short enough to type.</summary>
    public static long NewSeed()
    {
        Span<byte> random = stackalloc byte[4];
        RandomNumberGenerator.Fill(random);
        return BinaryPrimitives.ReadUInt32LittleEndian(random);
    }

    /// <summary>Whether a string has the form of an id.</summary>
    public static bool IsWellFormed(string id) =>
        id is { Length: > 0 and <= 64 } && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
