using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;

namespace Muse.Api;

/// <summary>The live state of the system as server-sent events.</summary>
public sealed class OperationsStream(OperationsFeed feed) : IResult, IEndpointMetadataProvider
{
    static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        await using var events = EventStream.Begin(httpContext);
        if (HeadRequests.IsHead(httpContext))
            return;
        await events.SendAsync("history", null, feed.History(), ApiJson.Default.OperationsPointArray);
        await foreach (var now in events.WithTimeouts(feed.ListenAsync(httpContext.RequestAborted), KeepAliveInterval))
        {
            if (now is null)
                await events.KeepAliveAsync();
            else
                await events.SendAsync("now", now);
        }
    }

    /// <inheritdoc/>
    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(200, typeof(string), ["text/event-stream"]));
}
