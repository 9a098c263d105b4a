using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>How often each caller may ask for pictures: by key, else by address. Operators may as often as they like.</summary>
static class RateLimits
{
    /// <summary>The policy's name, for endpoints that submit jobs.</summary>
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
            limiter.OnRejected = static (rejected, _) => new(ErrorResponses.WriteAsync(rejected.HttpContext,
                ApiError.RateLimited(rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1))));
        });
}
