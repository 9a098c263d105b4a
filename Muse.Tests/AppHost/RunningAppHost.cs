using System.Net.Http.Json;
using System.Runtime.Versioning;

namespace Muse.Tests.AppHost;

/// <summary>One running system for all tests of a class, since a start takes as long as most of them.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class RunningAppHost : IAsyncLifetime
{
    AppHostProcess? host;

    /// <summary>The running system. Skips the test where there is no Redis.</summary>
    internal async Task<AppHostProcess> GetAsync()
    {
        if (host is not null)
            return host;
        host = await AppHostProcess.StartAsync(("MUSE_MAX_WORKERS", "2"), ("MUSE_AUTOSCALE_INTERVAL", "1"),
            ("MUSE_TARGET_WAIT", "3600"), // One worker is enough, however slow the machine is.
            ("MUSE_TRACES_PER_SECOND", "1000")); // The request for the image must be among them.
        using var answer = await host.Http.PostAsJsonAsync("v1/images/generations", new { prompt = "a red circle on a blue background" });
        answer.EnsureSuccessStatusCode();
        return host;
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (host is not null)
            await host.DisposeAsync();
    }
}
