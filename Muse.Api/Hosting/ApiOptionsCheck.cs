using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>Stops the program at start when a setting can't be meant, naming it and what is allowed.</summary>
public sealed class ApiOptionsCheck : IValidateOptions<ApiOptions>
{
    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, ApiOptions options)
    {
        var faults = new List<string>();
        if (ApiKeys.Check(options.Keys) is { } keys)
            faults.Add(keys);
        foreach (var proxy in ApiOptions.Split(options.TrustedProxies))
        {
            if (!IPAddress.TryParse(proxy, out _) && !IPNetwork.TryParse(proxy, out _))
                faults.Add($"Api:TrustedProxies: '{proxy}' is neither an address nor a network such as 10.0.0.0/8.");
        }

        foreach (var origin in ApiOptions.Split(options.WebhookOrigins))
        {
            if (!Uri.TryCreate(origin.Contains("://") ? origin : $"https://{origin}", UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery != "/")
                faults.Add($"Api:WebhookOrigins: '{origin}' is not an origin such as https://hooks.example.com.");
        }

        if (options.WebhookOrigins.Length > 0 && options.WebhookSecret.Length < 16)
            faults.Add("Api:WebhookSecret must have 16 characters or more where Api:WebhookOrigins allows webhooks.");
        var limits = new List<ValidationResult>();
        if (!Validator.TryValidateObject(options.RateLimits, new(options.RateLimits), limits, validateAllProperties: true))
            faults.AddRange(limits.Select(fault => $"Api:RateLimits: {fault.ErrorMessage}"));
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}
