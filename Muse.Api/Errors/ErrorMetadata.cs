namespace Muse.Api;

/// <summary>Describes the errors of endpoints in the OpenAPI document.</summary>
static class ErrorMetadata
{
    /// <summary>Errors in OpenAI's shape.</summary>
    public static TBuilder ProducesOpenAIErrors<TBuilder>(this TBuilder endpoints, params ReadOnlySpan<int> statuses) where TBuilder
        : IEndpointConventionBuilder =>
        Add(endpoints, typeof(OpenAIErrorBody), "application/json", statuses);

    /// <summary>Errors as problem details.</summary>
    public static TBuilder ProducesProblems<TBuilder>(this TBuilder endpoints, params ReadOnlySpan<int> statuses) where TBuilder
        : IEndpointConventionBuilder =>
        Add(endpoints, typeof(ProblemBody), "application/problem+json", statuses);

    static TBuilder Add<TBuilder>(TBuilder endpoints, Type body, string mediaType, ReadOnlySpan<int> statuses) where TBuilder
        : IEndpointConventionBuilder
    {
        foreach (var status in statuses)
            endpoints.WithMetadata(new ProducesResponseTypeMetadata(status, body, [mediaType]));
        return endpoints;
    }
}
