using Microsoft.AspNetCore.Authentication;

namespace Muse.Api;

/// <summary>Authentication by API key, and the two authorization policies of the endpoints.</summary>
public static class CallerPolicies
{
    /// <summary>Callers with a key, or everyone where keys are off.</summary>
    public const string Caller = "caller";

    /// <summary>Callers with an operator's key, or direct local connections where keys are off.</summary>
    public const string Operator = "operator";

    /// <summary>Adds the authentication scheme and the policies.</summary>
    public static IServiceCollection AddCallers(this IServiceCollection services)
    {
        services.AddSingleton<ApiKeys>();
        services.AddAuthentication(ApiKeyAuthenticationHandler.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, ApiKeyAuthenticationHandler>(ApiKeyAuthenticationHandler.SchemeName, null);
        services.AddAuthorizationBuilder()
            .AddPolicy(Caller, policy => policy.RequireAuthenticatedUser())
            .AddPolicy(Operator, policy => policy.RequireAuthenticatedUser().RequireRole("operator"));
        return services;
    }

    /// <summary>Only callers may use these endpoints.</summary>
    public static TBuilder RequireCaller<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder =>
        endpoints.RequireAuthorization(Caller);

    /// <summary>Only operators may use these endpoints.</summary>
    public static TBuilder RequireOperator<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder =>
        endpoints.RequireAuthorization(Operator);
}
