using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Muse.Tests.Infrastructure;

/// <summary>
/// A real Redis Sentinel of a test's own, which watches one master and promotes a replica when it fails, after about 2 s.
/// </summary>
public sealed class RedisSentinel : IAsyncDisposable
{
    /// <summary>The name of the master that it watches.</summary>
    public const string Service = "muse";

    readonly TemporaryFolder folder = new();
    readonly int port = RedisServer.FreePort();
    Process? process;

    /// <summary>The connection string of a program that finds the master through it.</summary>
    public string ConnectionString => $"127.0.0.1:{port},serviceName={Service},abortConnect=false,connectTimeout=5000";

    /// <summary>Starts it and waits until it knows the replica.</summary>
    public async Task LaunchAsync(RedisServer master, RedisServer replica)
    {
        var file = Path.Combine(folder.Path, "sentinel.conf");
        await File.WriteAllTextAsync(file, $"""
            port {port}
            bind 127.0.0.1
            dir {folder.Path}
            sentinel monitor {Service} 127.0.0.1 {master.Port} 1
            sentinel down-after-milliseconds {Service} 2000
            sentinel failover-timeout {Service} 10000

            """);
        var start = new ProcessStartInfo(RedisServer.Executable!) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[file, "--sentinel"])
            start.ArgumentList.Add(argument);
        process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await Queue.Samples.EventuallyAsync(() => AskAsync($"SENTINEL REPLICAS {Service}"),
            answer => answer.Contains(replica.Port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
    }

    /// <summary>The beginning of its answer to a command; empty while it does not answer.</summary>
    async Task<string> AskAsync(string command)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"));
            var answer = new byte[4096];
            return Encoding.ASCII.GetString(answer, 0, await client.GetStream().ReadAsync(answer));
        }
        catch (SocketException)
        {
            return ""; // It is starting.
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        folder.Dispose();
    }
}
