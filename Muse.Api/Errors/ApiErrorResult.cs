using System.Globalization;
using Microsoft.AspNetCore.Mvc;

namespace Muse.Api;

/// <summary>
/// An endpoint's result for an <see cref="ApiError"/>: status, headers and, through <see cref="IProblemDetailsService"/>, the body.
/// </summary>
/// <param name="error">The error.</param>
public sealed class ApiErrorResult(ApiError error) : IResult, IStatusCodeHttpResult
{
    /// <summary>The error.</summary>
    public ApiError Error { get; } = error;

    /// <inheritdoc/>
    public int? StatusCode => Error.Status;

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        // The CORS middleware has set its headers already, and a browser shows an error only with them.
        foreach (var header in response.Headers.Where(header => !IsCorsHeader(header.Key)).Select(header => header.Key).ToList())
            response.Headers.Remove(header);
        response.StatusCode = Error.Status;
        response.Headers.CacheControl = "no-store";
        if (Error.RetryAfter is { } wait)
        {
            response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            response.Headers["retry-after-ms"] = Math.Max(1, Math.Ceiling(wait.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);
        }
        else if (Error.Status is 409 or >= 500)
        {
            // The official clients retry 409 and 5xx by themselves. Without a time to come back, a retry does not help.
            response.Headers["x-should-retry"] = "false";
        }

        if (Error.Status == 401)
        {
            var isBasic = httpContext.Request.Path.StartsWithSegments(Automatic1111Endpoints.Prefix);
            response.Headers.WWWAuthenticate = isBasic ? "Basic" : "Bearer";
        }
        await httpContext.RequestServices.GetRequiredService<IProblemDetailsService>()
            .WriteAsync(new() { HttpContext = httpContext, ProblemDetails = ToProblemDetails(Error) });
    }

    /// <summary>Any error can be returned where this result is expected.</summary>
    public static implicit operator ApiErrorResult(ApiError error) => new(error);

    static ProblemDetails ToProblemDetails(ApiError error)
    {
        var problem = new ProblemDetails { Status = error.Status, Detail = error.Message, Type = $"urn:muse:error:{error.Code}" };
        problem.Extensions["code"] = error.Code;
        problem.Extensions["field"] = error.Field;
        return problem;
    }

    static bool IsCorsHeader(string name) =>
        name.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase) || name.Equals("Vary", StringComparison.OrdinalIgnoreCase)
        || name.Equals("Allow", StringComparison.OrdinalIgnoreCase);
}
