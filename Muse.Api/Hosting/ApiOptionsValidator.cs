using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>Stops the program at start when a setting is invalid, with its name and what is allowed.</summary>
public sealed class ApiOptionsValidator : IValidateOptions<ApiOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ApiOptions options)
    {
        var errors = new List<string>();
        if (ApiKeys.Validate(options.Keys) is { } keys)
            errors.Add(keys);
        foreach (var proxy in ApiOptions.Split(options.TrustedProxies))
        {
            if (!IPAddress.TryParse(proxy, out _) && !IPNetwork.TryParse(proxy, out _))
                errors.Add($"Api:TrustedProxies: '{proxy}' is neither an address nor a network such as 10.0.0.0/8.");
        }

        foreach (var origin in ApiOptions.Split(options.WebhookOrigins))
        {
            if (!Uri.TryCreate(origin.Contains("://") ? origin : $"https://{origin}", UriKind.Absolute, out var uri)
                || uri.Scheme is not ("http" or "https") || uri.PathAndQuery != "/")
            {
                errors.Add($"Api:WebhookOrigins: '{origin}' is not an origin such as https://hooks.example.com.");
            }
        }

        var secrets = ApiOptions.Split(options.WebhookSecret);
        if (options.WebhookOrigins.Length > 0 && (secrets.Length == 0
            || secrets.Any(secret => WebhookSignature.Key(secret) is not { Length: >= 16 })))
        {
            errors.Add("Api:WebhookSecret must be whsec_ and the Base64 of 24 to 64 random bytes where Api:WebhookOrigins allows "
                + "webhooks.");
        }
        var limits = new List<ValidationResult>();
        if (!Validator.TryValidateObject(options.RateLimits, new(options.RateLimits), limits, validateAllProperties: true))
            errors.AddRange(limits.Select(limit => $"Api:RateLimits: {limit.ErrorMessage}"));
        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
