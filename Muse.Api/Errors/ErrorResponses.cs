using System.Globalization;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.WebUtilities;

namespace Muse.Api;

/// <summary>The one place that turns an <see cref="ApiError"/> into an answer: OpenAI's shape on its routes, RFC 9457 on the others.</summary>
public static class ErrorResponses
{
    /// <summary>Writes the error, unless the answer has begun.</summary>
    public static Task WriteAsync(HttpContext context, ApiError error)
    {
        var response = context.Response;
        response.Clear();
        response.StatusCode = error.Status;
        response.Headers.CacheControl = "no-store";
        if (error.RetryAfter is { } wait)
        {
            response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            response.Headers["retry-after-ms"] = Math.Max(1, Math.Ceiling(wait.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture);
        }
        // The official clients try again by themselves on 409 and 5xx: only where that helps.
        else if (error.Status is 409 or >= 500)
        {
            response.Headers["x-should-retry"] = "false";
        }

        if (error.Status == 401)
            response.Headers.WWWAuthenticate = "Bearer";
        return IsOpenAIRoute(context.Request.Path)
            ? response.WriteAsJsonAsync(OpenAIError(error), ReadableJson.Default.OpenAIErrorBody, cancellationToken: context.RequestAborted)
            : response.WriteAsJsonAsync(Problem(context.Request.Path, RequestIds.Of(context), error), ReadableJson.Default.ProblemBody, "application/problem+json", context.RequestAborted);
    }

    /// <summary>The error in OpenAI's shape; in an event stream it is the last event's data.</summary>
    public static OpenAIErrorBody OpenAIError(ApiError error) => new(new(error.Message, error.Status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    }, error.Field, error.Code));

    /// <summary>The error as problem details.</summary>
    public static ProblemBody Problem(string path, string requestId, ApiError error) => new(
        $"urn:muse:error:{error.Code}", ReasonPhrases.GetReasonPhrase(error.Status), error.Status, error.Message,
        path, error.Code, error.Field, requestId);

    static bool IsOpenAIRoute(PathString path) => path.StartsWithSegments("/v1/images") || path.StartsWithSegments("/v1/models");
}

/// <summary>An error as OpenAI tells it.</summary>
/// <param name="Error">What went wrong.</param>
public sealed record OpenAIErrorBody(OpenAIErrorDetail Error);

/// <summary>What went wrong, as OpenAI tells it.</summary>
/// <param name="Message">A sentence for a person.</param>
/// <param name="Type">The error's class.</param>
/// <param name="Param">The field at fault.</param>
/// <param name="Code">A stable word for programs.</param>
public sealed record OpenAIErrorDetail(string Message, string Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Param,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Code);

/// <summary>Problem details, RFC 9457.</summary>
/// <param name="Type">A URI that names the kind of problem.</param>
/// <param name="Title">The status in words.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">A sentence for a person: what was wrong and what is allowed.</param>
/// <param name="Instance">The path that was asked for.</param>
/// <param name="Code">A stable word for programs.</param>
/// <param name="Field">The field at fault, where there is one.</param>
/// <param name="RequestId">The request's id, as in <c>x-request-id</c>.</param>
public sealed record ProblemBody(string Type, string Title, int Status, string Detail, string? Instance, string Code, string? Field, string? RequestId);
