using System.Net;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;
using Muse.Queue;

namespace Muse.Api;

/// <summary>
/// The limits of a caller: images in a window, counted in Redis for all API processes, and open requests of each process. Operators have
/// none.
/// </summary>
public sealed class RateLimits(JobQueue queue, IOptions<ApiOptions> options)
{
    /// <summary>The policy of endpoints that keep a request open or read images.</summary>
    public const string OpenRequests = "open-requests";

    readonly RateLimitOptions limits = options.Value.RateLimits;

    /// <summary>Counts the images of a request.</summary>
    /// <returns>The error of a caller that has reached its limit, or null.</returns>
    public async ValueTask<ApiError?> CountAgainstLimitAsync(Caller caller, int images, CancellationToken cancellation)
    {
        if (!limits.Enabled || caller.IsOperator)
            return null;
        var (limit, window) = caller.HasKey ? (limits.KeyRequests, limits.KeyWindow) : (limits.AnonymousRequests, limits.AnonymousWindow);
        return await queue.CountAgainstLimitAsync(Partition(caller.Owner), images, limit, window, cancellation) is { } retryAfter
            ? ApiError.RateLimited(retryAfter)
            : null;
    }

    /// <summary>Adds the limit of open requests.</summary>
    public static void AddTo(IServiceCollection services) => services
        .AddSingleton<RateLimits>()
        .AddRateLimiter(limiter =>
        {
            limiter.AddPolicy(OpenRequests, context =>
            {
                var limits = context.RequestServices.GetRequiredService<IOptions<ApiOptions>>().Value.RateLimits;
                var caller = Caller.From(context.User)
                    ?? new($"address:{LocalConnection.Address(context)}", HasKey: false, IsOperator: false);
                return !limits.Enabled || caller.IsOperator
                    ? RateLimitPartition.GetNoLimiter("")
                    : RateLimitPartition.GetConcurrencyLimiter(Partition(caller.Owner), _ => new ConcurrencyLimiterOptions
                    {
                        PermitLimit = caller.HasKey ? limits.KeyOpenRequests : limits.AnonymousOpenRequests,
                    });
            });
            limiter.OnRejected = static (rejected, _) =>
                new(new ApiErrorResult(ApiError.TooManyOpenRequests).ExecuteAsync(rejected.HttpContext));
        });

    /// <summary>The owner, but for an IPv6 address its network: a customer of a provider has at least 2^64 addresses (RFC 6177).</summary>
    internal static string Partition(string owner)
    {
        const string Prefix = "address:";
        if (!owner.StartsWith(Prefix, StringComparison.Ordinal) || !IPAddress.TryParse(owner.AsSpan(Prefix.Length), out var address)
            || address.AddressFamily != System.Net.Sockets.AddressFamily.InterNetworkV6)
        {
            return owner;
        }

        var network = address.GetAddressBytes();
        network.AsSpan(8).Clear();
        return $"{Prefix}{new IPAddress(network)}/64";
    }
}
