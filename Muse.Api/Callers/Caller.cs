using System.Security.Claims;

namespace Muse.Api;

/// <summary>The authenticated caller of a request.</summary>
/// <param name="Owner">The owner of the caller's jobs: <c>key:NAME</c>, or <c>address:IP</c> where keys are off.</param>
/// <param name="HasKey">Whether the request carried a valid API key.</param>
/// <param name="IsOperator">Whether the caller may use the operators' endpoints.</param>
public sealed record Caller(string Owner, bool HasKey, bool IsOperator)
{
    const string HasKeyClaim = "muse:has_key";
    const string OperatorRole = "operator";

    /// <summary>The caller of this request.</summary>
    /// <exception cref="InvalidOperationException">The endpoint does not require a caller.</exception>
    public static Caller Of(HttpContext context) => From(context.User)
        ?? throw new InvalidOperationException("The endpoint does not require a caller. Add RequireCaller to its group.");

    /// <summary>The caller as claims.</summary>
    public ClaimsPrincipal ToPrincipal(string scheme)
    {
        var identity = new ClaimsIdentity(scheme);
        identity.AddClaim(new(ClaimTypes.Name, Owner));
        if (HasKey)
            identity.AddClaim(new(HasKeyClaim, "true"));
        if (IsOperator)
            identity.AddClaim(new(ClaimTypes.Role, OperatorRole));
        return new(identity);
    }

    /// <summary>The caller of these claims, or null for an anonymous principal.</summary>
    public static Caller? From(ClaimsPrincipal user) => user.Identity?.Name is { } owner
        ? new(owner, user.HasClaim(HasKeyClaim, "true"), user.IsInRole(OperatorRole))
        : null;
}
