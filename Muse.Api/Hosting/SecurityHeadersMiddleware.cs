using System.Security.Cryptography;

namespace Muse.Api;

/// <summary>Adds headers by which browsers load nothing from other hosts and run no script that is not a file of this server.</summary>
public sealed class SecurityHeadersMiddleware(RequestDelegate next)
{
    const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        + "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    /// <summary>Runs the rest of the pipeline.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        context.Response.OnStarting(static state =>
        {
            var headers = ((HttpContext)state).Response.Headers;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            if (headers.ContentSecurityPolicy.Count == 0)
                headers.ContentSecurityPolicy = Policy;
            return Task.CompletedTask;
        }, context);
        return next(context);
    }

    /// <summary>Allows this response what Scalar's page needs: one inline script, by its nonce, and styles set by scripts.</summary>
    /// <returns>The nonce.</returns>
    internal static string AllowScalar(HttpContext context)
    {
        var nonce = Convert.ToBase64String(RandomNumberGenerator.GetBytes(16));
        context.Response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
                + $"font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'";
        return nonce;
    }
}
