namespace Muse.Api;

/// <summary>
/// Writes problem details: in OpenAI's shape on its routes and on unknown ones below /v1, in AUTOMATIC1111's below /sdapi, as RFC 9457
/// says on all others.
/// </summary>
/// <remarks>
/// An error is written whatever the request accepts: an <c>EventSource</c> accepts only event streams, and its developer still needs the
/// reason.
/// </remarks>
sealed class ApiProblemWriter : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => true;

    public ValueTask WriteAsync(ProblemDetailsContext context)
    {
        var (http, problem) = (context.HttpContext, context.ProblemDetails);
        var error = new ApiError(problem.Status ?? http.Response.StatusCode, problem.Extensions["code"] as string ?? "error",
            problem.Detail ?? "",
            problem.Extensions["field"] as string);
        if (http.Request.Path.StartsWithSegments(Automatic1111Endpoints.Prefix))
        {
            return new(http.Response.WriteAsJsonAsync(Automatic1111Error.From(error), ReadableJson.Default.Automatic1111Error,
                cancellationToken: http.RequestAborted));
        }
        return new(IsOpenAIRoute(http.Request.Path)
            ? http.Response.WriteAsJsonAsync(OpenAIErrorBody.From(error), ReadableJson.Default.OpenAIErrorBody,
                cancellationToken: http.RequestAborted)
            : http.Response.WriteAsJsonAsync(ProblemBody.From(error, http.Request.Path, RequestIdMiddleware.Of(http)),
                ReadableJson.Default.ProblemBody,
                "application/problem+json", http.RequestAborted));
    }

    static bool IsOpenAIRoute(PathString path) =>
        path.StartsWithSegments("/v1") && !path.StartsWithSegments("/v1/generations") && !path.StartsWithSegments("/v1/ops");
}
