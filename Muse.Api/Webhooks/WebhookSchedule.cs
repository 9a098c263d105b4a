using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>When a webhook that has failed is tried again.</summary>
public sealed class WebhookSchedule(IOptions<ApiOptions> options)
{
    /// <summary>The longest time between two tries.</summary>
    public static readonly TimeSpan MaxDelay = TimeSpan.FromMinutes(10);

    /// <summary>The time until the next try, doubled with each try; null when it is given up.</summary>
    public TimeSpan? Next(WebhookDelivery delivery, DateTimeOffset now)
    {
        if (delivery.GivenUp || now - delivery.FirstTry > options.Value.WebhookRetryTime)
            return null;
        var doubled = options.Value.WebhookRetryDelay * Math.Pow(2, Math.Clamp(delivery.Tries - 1, 0, 20));
        return doubled < MaxDelay ? doubled : MaxDelay;
    }
}
