using System.Net;

namespace Muse.Api;

/// <summary>Finds out who asks, and turns away who may not.</summary>
public sealed class CallerCheck(RequestDelegate next, ApiKeys keys)
{
    /// <summary>Runs the rest of the pipeline for whom the endpoint allows.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        // Endpoints without a mark (files of the page) are everyone's; a test holds that all others have one.
        var audience = context.GetEndpoint()?.Metadata.GetMetadata<AudienceMark>()?.Audience ?? Audience.Everyone;
        if (audience == Audience.Everyone)
            return next(context);
        var caller = keys.AreOn ? Secret(context.Request) is { } secret ? keys.Find(secret) : null : Anonymous(context);
        if (caller is null)
            return ErrorResponses.WriteAsync(context, ApiError.Unauthorized);
        if (audience == Audience.Operators && !caller.IsOperator)
            return ErrorResponses.WriteAsync(context, ApiError.OperatorsOnly);
        context.Features.Set(caller);
        return next(context);
    }

    static Caller Anonymous(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return new($"address:{address}", HasKey: false, IsOperator: IPAddress.IsLoopback(address));
    }

    static string? Secret(HttpRequest request)
    {
        if (request.Headers.Authorization is [{ } authorization] && authorization.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            return authorization[7..].Trim();
        // The original Muse's header.
        return request.Headers["x-api-key"] is [{ Length: > 0 } key] ? key : null;
    }
}
