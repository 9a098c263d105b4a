namespace Muse.AppHost;

/// <summary>Keeps traffic between Muse's own processes away from the user's HTTP proxy.</summary>
static class ProxyBypass
{
    static readonly string[] Loopback = ["localhost", "127.0.0.1", "[::1]"];

    /// <summary>Adds this machine's addresses to <c>NO_PROXY</c>, for this process and those that it starts.</summary>
    /// <param name="apiHost">The address that the API listens on.</param>
    public static void AddLoopback(string apiHost)
    {
        foreach (var name in (string[])["NO_PROXY", "no_proxy"])
        {
            var hosts = (Environment.GetEnvironmentVariable(name) ?? "")
                .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            var all = hosts.Union([.. Loopback, apiHost], StringComparer.OrdinalIgnoreCase);
            Environment.SetEnvironmentVariable(name, string.Join(',', all));
        }
    }
}
