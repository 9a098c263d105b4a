using System.Text.Json.Serialization;
using Microsoft.AspNetCore.WebUtilities;

namespace Muse.Api;

/// <summary>An error in OpenAI's shape.</summary>
/// <param name="Error">The error.</param>
public sealed record OpenAIErrorBody(OpenAIErrorDetail Error)
{
    /// <summary>The body for an error; in an event stream it is the data of the last event.</summary>
    public static OpenAIErrorBody From(ApiError error) => new(new OpenAIErrorDetail(error.Message, error.Status switch
    {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    }, error.Field, error.Code));
}

/// <summary>The error inside <see cref="OpenAIErrorBody"/>.</summary>
/// <param name="Message">A sentence for a person.</param>
/// <param name="Type">The class of the error.</param>
/// <param name="Param">The wrong field, where there is one.</param>
/// <param name="Code">A stable word for programs.</param>
public sealed record OpenAIErrorDetail(string Message, string Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Param,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Code);

/// <summary>Problem details, RFC 9457.</summary>
/// <param name="Type">A URI that names the kind of problem.</param>
/// <param name="Title">The reason phrase of the status.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">A sentence for a person: what was wrong and what is allowed.</param>
/// <param name="Instance">The path of the request.</param>
/// <param name="Code">A stable word for programs.</param>
/// <param name="Field">The wrong field, where there is one.</param>
/// <param name="RequestId">The id of the request, as in <c>x-request-id</c>.</param>
public sealed record ProblemBody(string Type, string Title, int Status, string Detail, string? Instance, string Code, string? Field,
    string? RequestId)
{
    /// <summary>The body for an error.</summary>
    public static ProblemBody From(ApiError error, string path, string requestId) => new(
        $"urn:muse:error:{error.Code}", ReasonPhrases.GetReasonPhrase(error.Status), error.Status, error.Message, path, error.Code,
            error.Field, requestId);
}
