using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>Authenticates callers by API key or, where keys are off, by address.</summary>
/// <remarks>A key comes as <c>Authorization: Bearer KEY</c>, as the password of Basic authentication (RFC 7617) with any user, or as
/// <c>x-api-key: KEY</c>, the header of the original Muse.</remarks>
public sealed class ApiKeyAuthenticationHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger,
    UrlEncoder encoder, ApiKeys keys)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    /// <summary>The name of the authentication scheme.</summary>
    public const string SchemeName = "ApiKey";

    /// <inheritdoc/>
    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var caller = keys.Enabled ? ReadKey(Request) is { } key ? keys.Find(key) : null : Anonymous(Context);
        return Task.FromResult(caller is null
            ? AuthenticateResult.NoResult()
            : AuthenticateResult.Success(new(caller.ToPrincipal(SchemeName), SchemeName)));
    }

    /// <inheritdoc/>
    protected override Task HandleChallengeAsync(AuthenticationProperties properties) =>
        new ApiErrorResult(ApiError.Unauthorized).ExecuteAsync(Context);

    /// <inheritdoc/>
    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        new ApiErrorResult(ApiError.OperatorsOnly).ExecuteAsync(Context);

    static Caller Anonymous(HttpContext context)
    {
        var address = LocalConnection.Address(context);
        if (LocalConnection.IsDirect(context))
            return new($"address:{address}", HasKey: false, IsOperator: true);
        // Clients of a proxy on this machine that is not trusted can't be distinguished. They do not share jobs with its local users.
        return new($"{(IPAddress.IsLoopback(address) ? "proxy" : "address")}:{address}", HasKey: false, IsOperator: false);
    }

    /// <summary>Whether a request has Basic authentication, which browsers send by themselves.</summary>
    public static bool IsBasic(HttpRequest request) =>
        request.Headers.Authorization is [{ } authorization] && authorization.StartsWith(Basic, StringComparison.OrdinalIgnoreCase);

    const string Basic = "Basic ";

    static string? Password(string basic)
    {
        var bytes = new byte[basic.Length];
        if (!Convert.TryFromBase64String(basic, bytes, out var length))
            return null;
        var text = Encoding.UTF8.GetString(bytes, 0, length);
        return text.IndexOf(':') is >= 0 and var colon ? text[(colon + 1)..] : null;
    }

    static string? ReadKey(HttpRequest request)
    {
        if (IsBasic(request))
            return Password(request.Headers.Authorization.ToString()[Basic.Length..].Trim());
        if (request.Headers.Authorization is [{ } authorization] && authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            return authorization[7..].Trim();
        return request.Headers["x-api-key"] is [{ Length: > 0 } key] ? key : null;
    }
}
