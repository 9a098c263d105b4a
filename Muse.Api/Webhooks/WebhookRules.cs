using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>The allowed addresses of webhooks: origins that the operator lists.</summary>
public sealed class WebhookRules(IOptions<ApiOptions> options)
{
    const int MaxLength = 2000;
    readonly HashSet<string> origins = [.. ApiOptions.Split(options.Value.WebhookOrigins).Select(Origin)];

    /// <summary>The address, if it is allowed; else adds an error.</summary>
    internal Uri? Check(string address, FieldValidation validation)
    {
        if (origins.Count == 0)
        {
            validation.Fail("webhook", "Webhooks are off on this server: its operator allows no address.");
            return null;
        }

        if (address.Length <= MaxLength && Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            && uri.UserInfo.Length == 0 && origins.Contains(Origin(uri)))
        {
            return uri;
        }

        validation.Fail("webhook", $"'webhook' must be an address at one of {string.Join(", ", origins)}.");
        return null;
    }

    static string Origin(string entry) => Origin(new Uri(entry.Contains("://") ? entry : $"https://{entry}"));

    static string Origin(Uri uri) => $"{uri.Scheme}://{uri.Authority}".ToLowerInvariant();
}
