using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>Which web pages of other origins may call the API.</summary>
/// <remarks>
/// With keys on, a page needs a key, and CORS decides whether its scripts may read responses. With keys off, the browser of a person
/// on this machine has rights that a foreign page must not use (cross-site request forgery), so its requests are refused. So they are
/// with Basic authentication, which a browser adds by itself.
/// </remarks>
public sealed class CrossOrigin(IOptions<ApiOptions> options, ApiKeys keys)
{
    static readonly string[] ExposedHeaders =
        ["Retry-After", "retry-after-ms", "x-should-retry", "x-request-id", "Location", "Content-Location", "Preference-Applied"];

    readonly string[] origins = [.. ApiOptions.Split(options.Value.AllowedOrigins).Select(origin => origin.TrimEnd('/'))];

    /// <summary>
    /// Adds CORS for the origins of <see cref="ApiOptions.AllowedOrigins"/>, and for any origin on the original Muse's routes.
    /// </summary>
    public static void AddTo(IServiceCollection services)
    {
        services.AddSingleton<CrossOrigin>();
        services.AddCors();
        services.AddOptions<Microsoft.AspNetCore.Cors.Infrastructure.CorsOptions>().Configure<IOptions<ApiOptions>>((cors, options) =>
        {
            var origins = ApiOptions.Split(options.Value.AllowedOrigins);
            if (origins.Length > 0)
            {
                cors.AddDefaultPolicy(policy => policy.WithOrigins([.. origins.Select(origin => origin.TrimEnd('/'))])
                    .AllowAnyMethod().AllowAnyHeader().WithExposedHeaders(ExposedHeaders));
            }

            cors.AddPolicy(OriginalMuseEndpoints.AnyOrigin, policy => policy
                .AllowAnyOrigin().AllowAnyMethod().AllowAnyHeader().WithExposedHeaders(ExposedHeaders));
        });
    }

    /// <summary>Refuses requests that change something when a page of a foreign origin sends them without a key of its own.</summary>
    public Task InvokeAsync(HttpContext context, RequestDelegate next) =>
        (!keys.Enabled || ApiKeyAuthenticationHandler.IsBasic(context.Request))
            && !IsSafe(context.Request.Method) && IsForeign(context.Request)
            ? new ApiErrorResult(ApiError.ForeignOrigin).ExecuteAsync(context)
            : next(context);

    /// <summary>
    /// Whether a page of another origin sent this request. Browsers name the origin of every request that is not GET or HEAD.
    /// </summary>
    bool IsForeign(HttpRequest request)
    {
        if (request.Headers.Origin is not [{ Length: > 0 } origin] || origins.Contains("*")
            || origins.Contains(origin, StringComparer.OrdinalIgnoreCase))
        {
            return false;
        }
        // Behind a proxy the host may be another one than the browser's, but the browser knows.
        if (request.Headers["Sec-Fetch-Site"] is ["same-origin"])
            return false;
        var own = options.Value.PublicUrl?.Authority ?? request.Host.Value;
        return !Uri.TryCreate(origin, UriKind.Absolute, out var uri)
            || !uri.Authority.Equals(own, StringComparison.OrdinalIgnoreCase)
                && !uri.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase);
    }

    static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method);
}
