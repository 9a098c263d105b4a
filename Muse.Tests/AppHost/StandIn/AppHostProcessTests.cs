using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.Versioning;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.AppHost.StandIn;

/// <summary>The AppHost as a process of its own, with all that it starts.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class AppHostProcessTests : IAsyncLifetime
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly string folder = Directory.CreateTempSubdirectory("muse-apphost-").FullName;
    readonly ConcurrentQueue<string> lines = new();
    readonly HttpClient http = new();
    readonly int port = RedisServer.FreePort();
    Process? host;

    [SkippableTheory]
    [InlineData(Processes.SigKill)]
    [InlineData(Processes.SigTerm)]
    public async Task When_the_AppHost_ends_every_process_ends_however_it_ends(int signal)
    {
        await StartAsync();
        var offspring = Processes.Offspring(host!.Id);
        Assert.True(offspring.Count(Processes.Alive) >= 5, "redis-server, its own child, the API, the autoscaler and a worker run");
        Processes.Kill(host.Id, signal);
        await host.WaitForExitAsync().WaitAsync(Limit);
        await Processes.UntilAsync(() => !offspring.Any(Processes.Alive), Limit);
    }

    [SkippableTheory]
    [InlineData(null, false)]
    [InlineData("1", true)]
    public async Task Locust_starts_by_command_or_with_the_rest_where_that_was_asked_for(string? asked, bool starts)
    {
        await StartAsync(asked);
        await Processes.UntilAsync(() => lines.Any(line => line.EndsWith($"locust: {(starts ? "Running" : "NotStarted")}", StringComparison.Ordinal)), Limit);
        if (starts)
            await Processes.UntilAsync(() => lines.Any(line => line.EndsWith($"users of http://localhost:{port}, page on localhost:8089, in {Repository.Root}/loadtest", StringComparison.Ordinal)), Limit);
        Processes.Kill(host!.Id, Processes.SigTerm);
        await host.WaitForExitAsync().WaitAsync(Limit);
        Assert.Equal(starts, lines.Any(line => line.EndsWith("locust: Starting", StringComparison.Ordinal)));
    }

    async Task StartAsync(string? loadTesting = null)
    {
        var real = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(part => Path.Combine(part, "redis-server")).FirstOrDefault(File.Exists);
        Skip.If(real is null, "There is no redis-server on the PATH: ./muse test installs one.");
        // A redis-server that has a child of its own, and no docker client before it, whatever this machine has.
        Script("redis-server", $"sleep 1000 & exec {real} \"$@\"");
        Script("docker", "exit 1");
        Script("locust", "echo users of $LOCUST_HOST, page on $2:$LOCUST_WEB_PORT, in $PWD; sleep 1000");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory.Replace("Muse.Tests", "Muse.AppHost"), "Muse.AppHost.dll")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["PATH"] = $"{folder}:{Environment.GetEnvironmentVariable("PATH")}",
                ["MUSE_DATA"] = Path.Combine(folder, "data"),
                ["MUSE_HTTP_PORT"] = $"{port}",
                ["MUSE_LOAD_TESTING"] = loadTesting,
                ["ConnectionStrings__redis"] = null,
                ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = null,
            },
        };
        host = Process.Start(start)!;
        host.OutputDataReceived += (_, line) => lines.Enqueue(line.Data ?? "");
        host.ErrorDataReceived += (_, line) => lines.Enqueue(line.Data ?? "");
        host.BeginOutputReadLine();
        host.BeginErrorReadLine();
        await Processes.UntilAsync(() => host.HasExited || lines.Any(line => line.StartsWith("worker-0", StringComparison.Ordinal)) && Answers(), Limit);
        Assert.False(host.HasExited, string.Join('\n', lines));
    }

    bool Answers()
    {
        try { return http.Send(new HttpRequestMessage(HttpMethod.Get, $"http://localhost:{port}/alive")).IsSuccessStatusCode; }
        catch (HttpRequestException) { return false; } // Not yet.
    }

    void Script(string name, string body)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        http.Dispose();
        if (host is not null)
        {
            if (!host.HasExited) host.Kill();
            await host.WaitForExitAsync();
            host.Dispose();
        }
        Directory.Delete(folder, recursive: true);
    }
}
