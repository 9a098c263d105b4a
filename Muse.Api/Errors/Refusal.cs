namespace Muse.Api;

/// <summary>The result of an endpoint that refuses or has failed.</summary>
/// <param name="error">Why.</param>
public sealed class Refusal(ApiError error) : IResult, IStatusCodeHttpResult
{
    /// <summary>Why.</summary>
    public ApiError Error { get; } = error;

    /// <inheritdoc/>
    public int? StatusCode => Error.Status;

    /// <inheritdoc/>
    public Task ExecuteAsync(HttpContext httpContext) => ErrorResponses.WriteAsync(httpContext, Error);

    /// <summary>Any error can be returned where a refusal is.</summary>
    public static implicit operator Refusal(ApiError error) => new(error);
}
