using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text.Json;
using System.Text.RegularExpressions;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.AppHost;

/// <summary>The AppHost as a process of its own, with all that Aspire starts for it: orchestrator, dashboard, Redis, programs.</summary>
[UnsupportedOSPlatform("windows")]
sealed partial class AppHostProcess : IAsyncDisposable
{
    /// <summary>Patience for what takes seconds on a quiet machine.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    readonly string folder = Directory.CreateTempSubdirectory("muse-apphost-").FullName;
    readonly ConcurrentQueue<string> lines = new();
    readonly string dataFolder;
    readonly Process process;

    AppHostProcess(IReadOnlyDictionary<string, string?> settings, bool redisServerOnPath, string[] arguments)
    {
        HttpPort = RedisServer.FreePort();
        DashboardPort = RedisServer.FreePort();
        // No docker client of this machine: the same Redis everywhere.
        Script("docker", "exit 1");
        var path = redisServerOnPath
            ? $"{folder}:{Environment.GetEnvironmentVariable("PATH")}"
            : $"{folder}:{Path.GetDirectoryName(DotNet)}";
        var program = Path.Combine(Repository.Root, "Muse.AppHost", BuildFolder, "Muse.AppHost.dll");
        var start = new ProcessStartInfo(DotNet, [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        var environment = new Dictionary<string, string?>
        {
            ["PATH"] = path,
            ["DOTNET_ENVIRONMENT"] = "Development",
            ["DOTNET_TieredPGO"] = "0", // As in ProgramProcess: these processes do not live long enough to be optimized.
            ["ASPNETCORE_URLS"] = $"http://localhost:{DashboardPort}",
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = $"http://localhost:{RedisServer.FreePort()}",
            ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = $"http://localhost:{RedisServer.FreePort()}",
            ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
            ["MUSE_DATA"] = Path.Combine(folder, "data"),
            ["MUSE_HTTP_PORT"] = $"{HttpPort}",
            ["ConnectionStrings__redis"] = null,
        };
        foreach (var (name, value) in settings)
            environment[name] = value;
        dataFolder = environment["MUSE_DATA"]!;
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => lines.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => lines.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var host = environment.GetValueOrDefault("MUSE_HTTP_HOST") ?? "localhost";
        Http = new() { BaseAddress = new($"http://{host}:{HttpPort}/"), Timeout = Limit };
    }

    public int Id => process.Id;
    public int HttpPort { get; }
    public int DashboardPort { get; }
    public HttpClient Http { get; }
    public string Output => string.Join('\n', lines);
    public int ExitCode => process.ExitCode;

    /// <summary>The dashboard's login link, as the console says it.</summary>
    public string LoginLink => LoginLine().Match(Output).Value;

    /// <summary>Starts one and waits until the API is ready and a worker takes work.</summary>
    public static async Task<AppHostProcess> StartAsync(params (string Name, string? Value)[] settings)
    {
        Skip.IfNot(RedisServer.IsAvailable, "There is no redis-server on the PATH: ./muse test installs one.");
        var host = Launch(redisServerOnPath: true, settings);
        try
        {
            await Processes.UntilAsync(() => host.process.HasExited || host.IsReady(), Limit, host.Describe);
            Assert.False(host.process.HasExited, host.Output);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one that may not get far.</summary>
    public static AppHostProcess Launch(bool redisServerOnPath, params (string Name, string? Value)[] settings) =>
        Launch(redisServerOnPath, [], settings);

    /// <summary>Starts one with arguments.</summary>
    public static AppHostProcess Launch(bool redisServerOnPath, string[] arguments, params (string Name, string? Value)[] settings) =>
        new(settings.ToDictionary(setting => setting.Name, setting => setting.Value), redisServerOnPath, arguments);

    /// <summary>All processes that it has started, however they detached. They inherit its environment; Redis overwrites its own.</summary>
    public IReadOnlyList<int> Offspring() =>
        [.. Processes.All.Where(id =>
            Processes.HasEnvironment(id, $"MUSE_HTTP_PORT={HttpPort}") || Processes.WorkingFolder(id) == $"{dataFolder}/redis")];

    /// <summary>The ids of the workers' processes.</summary>
    public IReadOnlyList<int> WorkerProcesses() =>
        [.. Offspring().Where(id => Processes.Command(id).EndsWith("Muse.GpuWorker.dll ", StringComparison.Ordinal))];

    /// <summary>The Redis that it started.</summary>
    public string RedisConnectionString =>
        RedisTitle().Match(string.Join('\n', Offspring().Select(Processes.Command))).Groups["address"].Value;

    /// <summary>Submits a job.</summary>
    /// <returns>Its id.</returns>
    public async Task<string> SubmitAsync(int images, int steps)
    {
        using var answer = await Http.PostAsJsonAsync("v1/generations", new { prompt = "a red circle", n = images, steps });
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString()!;
    }

    /// <summary>Reads a job again and again until the condition holds.</summary>
    public async Task<JsonElement> UntilAsync(string job, Func<JsonElement, bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        using var late = new CancellationTokenSource(Limit);
        while (true)
        {
            var generation = await Http.GetFromJsonAsync<JsonElement>($"v1/generations/{job}", late.Token);
            if (condition(generation))
                return generation;
            await timer.WaitForNextTickAsync(late.Token);
        }
    }

    /// <summary>The state of a job.</summary>
    public static string? State(JsonElement generation) => generation.GetProperty("state").GetString();

    /// <summary>Whether a job is being generated.</summary>
    public static bool IsRunning(JsonElement generation) => State(generation) == "running";

    /// <summary>Whether a job has ended, well or not.</summary>
    public static bool HasEnded(JsonElement generation) => State(generation) is not ("queued" or "running");

    public void Send(Signal signal) => signal.SendTo(process.Id);

    public Task WaitForExitAsync() => process.WaitForExitAsync().WaitAsync(Limit);

    /// <summary>Waits until all processes that it has started have ended.</summary>
    public Task AllProcessesEndAsync() =>
        Processes.UntilAsync(() => Offspring().Count == 0, Limit, Describe);

    /// <summary>What it has said, and the processes that it has started.</summary>
    string Describe() => $"{Output}\n{string.Join('\n', Offspring().Select(Processes.Command))}";

    bool IsReady()
    {
        try
        {
            return Http.Send(new(HttpMethod.Get, "v1/models")) is { IsSuccessStatusCode: true } answer
                && answer.Content.ReadAsStringAsync().Result.Contains("\"id\"", StringComparison.Ordinal);
        }
        catch (HttpRequestException)
        {
            return false; // Not yet.
        }
    }

    void Script(string name, string body)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    static string DotNet { get; } = Environment.ProcessPath is { } path && Path.GetFileName(path) == "dotnet" ? path : "/usr/bin/dotnet";

    /// <summary>bin/Release/net10.0, as the tests themselves were built.</summary>
    static string BuildFolder { get; } = string.Join(Path.DirectorySeparatorChar,
        AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^3..]);

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited)
            process.Kill();
        await process.WaitForExitAsync();
        await AllProcessesEndAsync();
        process.Dispose();
        Http.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [GeneratedRegex(@"redis-server (?<address>127\.0\.0\.1:\d+)")]
    private static partial Regex RedisTitle();

    [GeneratedRegex(@"http://localhost:\d+/login\?t=\w+")]
    private static partial Regex LoginLine();
}
