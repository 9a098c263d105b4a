using System.Net;

namespace Muse.Api;

/// <summary>Whether a request comes from a client on this machine without a proxy between.</summary>
/// <remarks>A proxy that adds no header and keeps the host can't be recognised. <c>docs/security.md</c> says so.</remarks>
static class LocalConnection
{
    static readonly string[] ForwardingHeaders =
    [
        "Forwarded", "Via", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "Client-IP", "X-Client-IP", "X-Cluster-Client-IP",
        "Fastly-Client-IP", "X-ProxyUser-Ip", "X-Envoy-External-Address", "X-Appengine-User-Ip",
    ];

    /// <summary>The address of the client, as IPv4 where it is one.</summary>
    public static IPAddress Address(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
    }

    /// <summary>Whether the connection is local, the host is a loopback name, and no header of a proxy is there.</summary>
    public static bool IsDirect(HttpContext context) =>
        IPAddress.IsLoopback(Address(context)) && IsLoopbackHost(context.Request.Host) && !IsForwarded(context.Request.Headers);

    /// <summary>Whether a proxy has added a header.</summary>
    public static bool IsForwarded(IHeaderDictionary headers) => headers.Any(static header =>
        header.Key.StartsWith("X-Forwarded-", StringComparison.OrdinalIgnoreCase)
        || header.Key.StartsWith("X-Original-", StringComparison.OrdinalIgnoreCase)
        || ForwardingHeaders.Contains(header.Key, StringComparer.OrdinalIgnoreCase));

    /// <summary>A page of a foreign name that resolves to 127.0.0.1 sends its own name as the host (DNS rebinding).</summary>
    static bool IsLoopbackHost(HostString host) =>
        host.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.Host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(host.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);
}
