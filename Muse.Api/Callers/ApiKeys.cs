using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>
/// The API keys. A name may have several secrets, so that a secret can be replaced while both work. Only hashes of the secrets are kept.
/// A lookup compares all of them, each in constant time.
/// </summary>
public sealed class ApiKeys
{
    const int MinSecretLength = 16;
    readonly Key[] keys;

    /// <summary>Reads the keys from the options.</summary>
    public ApiKeys(IOptions<ApiOptions> options) => keys = [.. ApiOptions.Split(options.Value.Keys).Select(Parse)];

    /// <summary>Whether callers need a key.</summary>
    public bool Enabled => keys.Length > 0;

    /// <summary>The caller with this secret, or null if no key has it.</summary>
    public Caller? Find(string secret)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(secret), hash);
        Caller? found = null;
        foreach (var key in keys)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, key.Hash))
                found = key.Caller;
        }

        return found;
    }

    /// <summary>What is wrong with a list of keys, without the secrets; null when the list is valid.</summary>
    public static string? Validate(string keys)
    {
        try
        {
            var parsed = ApiOptions.Split(keys).Select(Parse).ToList();
            if (parsed.GroupBy(key => key.Name).FirstOrDefault(same => same.Select(key => key.Caller).Distinct().Count() > 1) is { } mixed)
                return $"Api:Keys (MUSE_API_KEYS): '{mixed.Key}' is an operator with one secret and not with another.";
            return parsed.DistinctBy(key => Convert.ToHexString(key.Hash)).Count() == parsed.Count ? null
                : "Api:Keys has the same secret twice.";
        }
        catch (FormatException exception)
        {
            return exception.Message;
        }
    }

    static Key Parse(string entry)
    {
        var parts = entry.Split(':');
        if (parts.Length is < 2 or > 3 || parts[0].Length == 0 || parts.Length == 3 && parts[2] != "operator")
            throw new FormatException("Api:Keys (MUSE_API_KEYS) is a comma-separated list of name:secret or name:secret:operator.");
        if (parts[1].Length < MinSecretLength)
        {
            throw new FormatException($"Api:Keys (MUSE_API_KEYS): the secret of '{parts[0]}' is shorter than {MinSecretLength} "
                + $"characters.");
        }

        var caller = new Caller($"key:{parts[0]}", HasKey: true, IsOperator: parts.Length == 3);
        return new(parts[0], SHA256.HashData(Encoding.UTF8.GetBytes(parts[1])), caller);
    }

    sealed record Key(string Name, byte[] Hash, Caller Caller);
}
