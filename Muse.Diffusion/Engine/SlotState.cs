using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Muse.Diffusion;

/// <summary>
/// A request's state between two steps as bytes: latent and sampler history in full precision, so that the image is the same to the bit.
/// </summary>
/// <remarks>
/// Little-endian: "MUSE", version (2 bytes), 2 bytes zero, identity (16), steps done (4), the next evaluation (4), latent length (4),
/// history length (4), latent and history (4 bytes a value), the first 8 bytes of the SHA-256 of all before.
/// </remarks>
static class SlotState
{
    const ushort Version = 1;
    const int HeaderLength = 4 + 2 + 2 + IdentityLength + 4 + 4 + 4 + 4;
    const int IdentityLength = 16;
    const int ChecksumLength = 8;

    static ReadOnlySpan<byte> Magic => "MUSE"u8;

    /// <summary>A hash of all that the image depends on. A state with another hash is refused.</summary>
    public static byte[] IdentityOf(ModelTraits model, string sampler, GenerationRequest request)
    {
        // Each text is preceded by its length, so that no two requests have the same line.
        var texts = new[] { model.Name, model.Content, sampler, request.Prompt, request.NegativePrompt };
        var all = string.Concat(texts.Select(text => $"{text?.Length ?? -1}:{text}"))
            + string.Create(CultureInfo.InvariantCulture,
                $"{request.Width}x{request.Height},{request.Steps},{request.GuidanceScale:R},{request.Seed}");
        if (request.Input is { } input)
            all += string.Create(CultureInfo.InvariantCulture, $",{input.Strength:R},{input.ContentHash}");
        return SHA256.HashData(Encoding.UTF8.GetBytes(all))[..IdentityLength];
    }

    public static byte[] Save(
        ReadOnlySpan<byte> identity, int step, int evaluation, ReadOnlySpan<float> latent, ReadOnlySpan<float> history)
    {
        var body = HeaderLength + 4 * (latent.Length + history.Length);
        var state = new byte[body + ChecksumLength];
        Magic.CopyTo(state);
        BinaryPrimitives.WriteUInt16LittleEndian(state.AsSpan(4), Version);
        identity.CopyTo(state.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(24), step);
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(28), evaluation);
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(32), latent.Length);
        BinaryPrimitives.WriteInt32LittleEndian(state.AsSpan(36), history.Length);
        MemoryMarshal.AsBytes(latent).CopyTo(state.AsSpan(HeaderLength));
        MemoryMarshal.AsBytes(history).CopyTo(state.AsSpan(HeaderLength + 4 * latent.Length));
        Checksum(state.AsSpan(0, body), state.AsSpan(body));
        return state;
    }

    /// <summary>Reads a state into the buffers of its request.</summary>
    /// <param name="state">The state.</param>
    /// <param name="identity">The request's <see cref="IdentityOf"/>.</param>
    /// <param name="plan">The sampler's plan.</param>
    /// <param name="latent">The buffer for the latent.</param>
    /// <param name="history">The buffer for the sampler's history.</param>
    /// <param name="evaluation">The next evaluation; the plan's first where the state can't be used.</param>
    /// <returns>Why the state can't be used; null if it was restored.</returns>
    public static string? Restore(
        ReadOnlySpan<byte> state,
        ReadOnlySpan<byte> identity,
        SamplerPlan plan,
        Span<float> latent,
        Span<float> history,
        out int evaluation)
    {
        evaluation = plan.FirstEvaluation;
        var body = HeaderLength + 4 * (latent.Length + history.Length);
        if (state.Length < HeaderLength + ChecksumLength || !state.StartsWith(Magic))
            return "it is not a saved state";
        if (BinaryPrimitives.ReadUInt16LittleEndian(state[4..]) != Version)
            return $"it has format version {BinaryPrimitives.ReadUInt16LittleEndian(state[4..])}, not {Version}";
        if (!state.Slice(8, IdentityLength).SequenceEqual(identity))
            return "it belongs to another request, or to a model of other weights or settings";
        if (state.Length != body + ChecksumLength
            || BinaryPrimitives.ReadInt32LittleEndian(state[32..]) != latent.Length
            || BinaryPrimitives.ReadInt32LittleEndian(state[36..]) != history.Length)
        {
            return "its latent has another size";
        }

        Span<byte> checksum = stackalloc byte[ChecksumLength];
        Checksum(state[..body], checksum);
        if (!checksum.SequenceEqual(state[body..]))
            return "it is damaged";
        var next = BinaryPrimitives.ReadInt32LittleEndian(state[28..]);
        if (next <= plan.FirstEvaluation || next >= plan.Timesteps.Length)
            return "its step is not one of this request";
        state.Slice(HeaderLength, 4 * latent.Length).CopyTo(MemoryMarshal.AsBytes(latent));
        state.Slice(HeaderLength + 4 * latent.Length, 4 * history.Length).CopyTo(MemoryMarshal.AsBytes(history));
        evaluation = next;
        return null;
    }

    /// <summary>The number of steps that are done; 0 if the bytes are no state.</summary>
    public static int StepOf(ReadOnlySpan<byte> state) =>
        state.Length >= HeaderLength && state.StartsWith(Magic) ? BinaryPrimitives.ReadInt32LittleEndian(state[24..]) : 0;

    static void Checksum(ReadOnlySpan<byte> of, Span<byte> into)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(of, hash);
        hash[..ChecksumLength].CopyTo(into);
    }
}
