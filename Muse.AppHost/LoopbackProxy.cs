namespace Muse.AppHost;

/// <summary>Keeps traffic between Muse's own processes away from the user's HTTP proxy.</summary>
static class LoopbackProxy
{
    static readonly string[] Loopback = ["localhost", "127.0.0.1", "[::1]"];

    /// <summary>Adds the loopback addresses to <c>NO_PROXY</c>, for this process and those that it starts.</summary>
    public static void Bypass()
    {
        foreach (var name in (string[])["NO_PROXY", "no_proxy"])
        {
            var hosts = (Environment.GetEnvironmentVariable(name) ?? "")
                .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            Environment.SetEnvironmentVariable(name, string.Join(',', hosts.Union(Loopback, StringComparer.OrdinalIgnoreCase)));
        }
    }
}
