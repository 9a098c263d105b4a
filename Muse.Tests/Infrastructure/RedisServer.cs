using System.Diagnostics;
using Muse.AppHost;
using StackExchange.Redis;

namespace Muse.Tests.Infrastructure;

/// <summary>A real redis-server of a test's own, on a free loopback port, with its data in a temporary folder.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("muse-redis-").FullName;
    readonly string[] arguments;
    Process? process;

    RedisServer(int port, string[] arguments) => (Port, this.arguments) = (port, arguments);

    public int Port { get; }
    // A generous timeout for a busy machine. A server that is not there refuses the connection at once.
    public string ConnectionString => $"127.0.0.1:{Port},abortConnect=false,connectTimeout=5000";
    public int ProcessId => process?.Id ?? throw new InvalidOperationException("It is not running.");

    /// <summary>Starts one and waits until it answers. Skips the test where there is no redis-server.</summary>
    /// <param name="arguments">Further settings, e.g. "--appendonly", "yes".</param>
    public static async Task<RedisServer> StartAsync(params string[] arguments)
    {
        Skip.If(Executable is null, "There is no redis-server on the PATH: ./muse test installs one.");
        var server = new RedisServer(FreePort(), arguments);
        try
        {
            await server.LaunchAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync(); // A process that is left behind would hold what it inherited, such as locks.
            throw;
        }
    }

    /// <summary>kill -9, as a crash would.</summary>
    public async Task KillAsync()
    {
        if (process is null)
            return;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        process = null;
    }

    /// <summary>The file to which it appends, once it has begun one.</summary>
    public FileInfo AppendOnlyFile => new DirectoryInfo(Path.Combine(folder, "appendonlydir"))
        .EnumerateFiles("*.incr.aof").OrderBy(file => file.Name.Length).ThenBy(file => file.Name).Last();

    /// <summary>SIGSTOP: it is there and says nothing.</summary>
    public void Pause() => Signal.Stop.SendTo(ProcessId);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal.Continue.SendTo(ProcessId);

    /// <summary>Starts it again after <see cref="KillAsync"/>, on the same port and data.</summary>
    public async Task LaunchAsync()
    {
        var start = new ProcessStartInfo(Executable!) { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] own = ["--port", $"{Port}", "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--maxmemory-policy", "noeviction"];
        foreach (var argument in own.Concat(arguments))
            start.ArgumentList.Add(argument);
        process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await using var connection =
            await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{Port},abortConnect=false,connectRetry=50,connectTimeout=200");
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            try
            { await connection.GetDatabase().PingAsync(); return; }
            catch (RedisException) { await Task.Yield(); }
        }
    }

    /// <summary>Waits until it is a replica that has its master's data.</summary>
    public async Task WaitUntilReplicatingAsync() =>
        await Queue.Samples.EventuallyAsync(() => AskAsync("INFO", "replication"), info => info.Contains("master_link_status:up"));

    /// <summary>Sends a command to this server, whatever its role.</summary>
    public async Task<string> AskAsync(string command, params object[] arguments)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync($"{ConnectionString},allowAdmin=true");
        var server = connection.GetServers()
            .Single(candidate => candidate.EndPoint.ToString()!.EndsWith($":{Port}", StringComparison.Ordinal));
        return (await server.ExecuteAsync(command, arguments)).ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>Whether this machine has a redis-server.</summary>
    public static bool IsAvailable => Executable is not null;

    internal static string? Executable { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "redis-server")).FirstOrDefault(File.Exists);

    /// <summary>A loopback port that is not in use, and stays free while a server is restarted.</summary>
    public static int FreePort() => Ports.FindFree();
}
