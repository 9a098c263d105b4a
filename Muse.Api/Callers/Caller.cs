namespace Muse.Api;

/// <summary>Who asks.</summary>
/// <param name="Owner">What its jobs are filed under: <c>key:NAME</c>, or <c>address:IP</c> where keys are off.</param>
/// <param name="HasKey">Whether it showed a key.</param>
/// <param name="IsOperator">Whether it may see and do what operators do.</param>
public sealed record Caller(string Owner, bool HasKey, bool IsOperator)
{
    /// <summary>Who made this request. Only on endpoints that need a caller.</summary>
    public static Caller Of(HttpContext context) =>
        context.Features.Get<Caller>() ?? throw new InvalidOperationException("The endpoint has no audience: call RequireCaller on its group.");
}

/// <summary>Who may use an endpoint.</summary>
public enum Audience
{
    /// <summary>Everyone, without a key.</summary>
    Everyone,
    /// <summary>Whoever has a key, or everyone where keys are off.</summary>
    Callers,
    /// <summary>Whoever has an operator's key, or the server's own machine where keys are off.</summary>
    Operators,
}

/// <summary>An endpoint's mark of who may use it.</summary>
/// <param name="Audience">Who may.</param>
public sealed record AudienceMark(Audience Audience);

/// <summary>Marks endpoints with their audience.</summary>
public static class Audiences
{
    /// <summary>Only callers may use these endpoints.</summary>
    public static TBuilder RequireCaller<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder => endpoints.WithMetadata(new AudienceMark(Audience.Callers));

    /// <summary>Only operators may use these endpoints.</summary>
    public static TBuilder RequireOperator<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder => endpoints.WithMetadata(new AudienceMark(Audience.Operators));

    /// <summary>Everyone may use these endpoints.</summary>
    public static TBuilder AllowEveryone<TBuilder>(this TBuilder endpoints) where TBuilder : IEndpointConventionBuilder => endpoints.WithMetadata(new AudienceMark(Audience.Everyone));
}
