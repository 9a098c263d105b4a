using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Muse.Api;

/// <summary>
/// Signatures of webhooks, as Standard Webhooks defines them: <c>v1,</c> and the Base64 of HMAC-SHA256 over <c>id.timestamp.body</c>.
/// </summary>
/// <remarks>https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md</remarks>
static class WebhookSignature
{
    const string Prefix = "whsec_";

    /// <summary>
    /// The key of a secret: the decoded Base64 after <c>whsec_</c>, or else the bytes of the text; null if the Base64 is invalid.
    /// </summary>
    public static byte[]? Key(string secret)
    {
        if (!secret.StartsWith(Prefix, StringComparison.Ordinal))
            return Encoding.UTF8.GetBytes(secret);
        var bytes = new byte[secret.Length];
        return Convert.TryFromBase64String(secret[Prefix.Length..], bytes, out var length) ? bytes[..length] : null;
    }

    /// <summary>The header <c>webhook-signature</c>: one signature for each secret, so that secrets can be changed without a gap.</summary>
    public static string Create(string secrets, string id, DateTimeOffset at, string body)
    {
        var signed = Encoding.UTF8.GetBytes($"{id}.{Timestamp(at)}.{body}");
        return string.Join(' ', ApiOptions.Split(secrets)
            .Select(secret => $"v1,{Convert.ToBase64String(HMACSHA256.HashData(Key(secret)!, signed))}"));
    }

    /// <summary>The header <c>webhook-timestamp</c>, Unix seconds.</summary>
    public static string Timestamp(DateTimeOffset at) => at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
}
