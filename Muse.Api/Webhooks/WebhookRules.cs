using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>Where webhooks may go: only to origins that the operator lists.</summary>
public sealed class WebhookRules(IOptions<ApiOptions> options)
{
    const int MaxLength = 2000;
    readonly HashSet<string> origins = [.. ApiOptions.Split(options.Value.WebhookOrigins).Select(Origin)];

    /// <summary>The address, if it may be called; else a fault is noted.</summary>
    internal Uri? Check(string address, FieldChecks checks)
    {
        if (origins.Count == 0)
            checks.Fail("webhook", "'webhook' is switched off on this server: its operator allows no address.");
        else if (address.Length > MaxLength || !Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length > 0 || !origins.Contains(Origin(uri)))
            checks.Fail("webhook", $"'webhook' must be an address at one of {string.Join(", ", origins)}.");
        else
            return uri;
        return null;
    }

    static string Origin(string entry) => Origin(new Uri(entry.Contains("://") ? entry : $"https://{entry}"));

    static string Origin(Uri uri) => $"{uri.Scheme}://{uri.Authority}".ToLowerInvariant();
}
