using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>The rate limit of each caller, by key or else by address. Operators have none.</summary>
static class RateLimits
{
    /// <summary>The name of the policy for endpoints that submit jobs.</summary>
    public const string Submissions = "submissions";

    public static void AddRateLimits(this IServiceCollection services) => services
        .AddRateLimiter(limiter =>
        {
            limiter.AddPolicy(Submissions, context =>
            {
                var limits = context.RequestServices.GetRequiredService<IOptions<ApiOptions>>().Value.RateLimits;
                var caller = Caller.Of(context);
                return limits.Enabled && !caller.IsOperator
                    ? RateLimitPartition.GetFixedWindowLimiter(caller.Owner, _ => new FixedWindowRateLimiterOptions
                    {
                        PermitLimit = caller.HasKey ? limits.KeyRequests : limits.AnonymousRequests,
                        Window = caller.HasKey ? limits.KeyWindow : limits.AnonymousWindow,
                    })
                    : RateLimitPartition.GetNoLimiter("");
            });
            limiter.OnRejected = static (rejected, _) =>
            {
                var retryAfter = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);
                return new(new ApiErrorResult(ApiError.RateLimited(retryAfter)).ExecuteAsync(rejected.HttpContext));
            };
        });
}
