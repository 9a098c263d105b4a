using System.Diagnostics;

namespace Muse.Tests.Infrastructure;

/// <summary>A real S3 server of a test's own (S3rver, of npm), on a free loopback port, with its objects in a temporary folder.</summary>
public sealed class S3Server : IAsyncDisposable
{
    /// <summary>The name of its bucket, which exists from the start.</summary>
    public const string Bucket = "images";

    static readonly string Scripts = Path.Combine(Repository.Root, "Muse.Tests", "Api", "node");

    readonly TemporaryFolder folder = new();
    Process? process;

    S3Server(int port) => Port = port;

    public int Port { get; }

    /// <summary>The settings of a program that uses it.</summary>
    public IReadOnlyList<(string Name, string Value)> Settings =>
    [
        ("ObjectStore:Bucket", Bucket), ("ObjectStore:Endpoint", $"http://127.0.0.1:{Port}"), ("ObjectStore:AccessKey", "S3RVER"),
        ("ObjectStore:SecretKey", "S3RVER"),
    ];

    /// <summary>The same as environment variables.</summary>
    public (string Name, string Value)[] Variables =>
        [.. Settings.Select(setting => (setting.Name.Replace(":", "__", StringComparison.Ordinal), setting.Value))];

    /// <summary>Whether this machine has Node.js and the server.</summary>
    public static bool IsAvailable { get; } =
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(path => File.Exists(Path.Combine(path, "node")))
        && Directory.Exists(Path.Combine(Scripts, "node_modules", "@20minutes", "s3rver"));

    /// <summary>Why a test is skipped.</summary>
    public const string Missing = "There is no node on the PATH, or npm install was not run in Muse.Tests/Api/node: ./muse test does it.";

    /// <summary>Starts one. Skips the test where there is no Node.js, or where its packages are not installed.</summary>
    public static async Task<S3Server> StartAsync()
    {
        Skip.IfNot(IsAvailable, Missing);
        var server = new S3Server(RedisServer.FreePort());
        try
        {
            await server.LaunchAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it again after <see cref="KillAsync"/>, on the same port and objects.</summary>
    public async Task LaunchAsync()
    {
        var start = new ProcessStartInfo("node")
        {
            WorkingDirectory = Scripts,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Its tokens for the next page are encrypted by DES, which OpenSSL 3 calls legacy.
        foreach (var argument in (string[])["--openssl-legacy-provider", "s3.mjs", $"{Port}", folder.Path, Bucket])
            start.ArgumentList.Add(argument);
        process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        if (await process.StandardOutput.ReadLineAsync() != "ready")
            throw new InvalidOperationException($"The S3 server did not start: {await errors}");
    }

    /// <summary>Starts it if it was killed, allows all methods, and deletes its objects.</summary>
    public async Task RestoreAsync()
    {
        if (process is null)
            await LaunchAsync();
        else
            await DenyAsync(null);
        DeleteAll();
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

    /// <summary>SIGSTOP: it is there and says nothing.</summary>
    public void Pause() => Signal.Stop.SendTo(process!.Id);

    /// <summary>SIGCONT.</summary>
    public void Resume() => Signal.Continue.SendTo(process!.Id);

    /// <summary>Delays each request from now on.</summary>
    public Task DelayAsync(TimeSpan delay) => SendAsync($"delay {delay.TotalMilliseconds:0}");

    /// <summary>Refuses requests of a method from now on; null for none.</summary>
    public Task DenyAsync(string? method) => SendAsync($"deny {method}".TrimEnd());

    async Task SendAsync(string command)
    {
        await process!.StandardInput.WriteLineAsync(command);
        Assert.Equal(command, await process.StandardOutput.ReadLineAsync());
    }

    /// <summary>The number of its objects.</summary>
    public int Count => CountIn("");

    /// <summary>The number of its objects in a folder.</summary>
    public int CountIn(string path)
    {
        var inside = new DirectoryInfo(Path.Combine(folder.Path, Bucket, path));
        return inside.Exists ? inside.EnumerateFiles("*_object", SearchOption.AllDirectories).Count() : 0;
    }

    /// <summary>Deletes all of its objects, as an operator might.</summary>
    public void DeleteAll()
    {
        foreach (var file in Directory.EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories))
            File.Delete(file);
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        folder.Dispose();
    }
}

/// <summary>One S3 server for all tests of a class, which run one after the other. Each finds it running and empty.</summary>
public sealed class SharedS3Server : IAsyncLifetime
{
    S3Server? server;

    /// <summary>The server, started by the first test. Skips the test where it can't be.</summary>
    public async Task<S3Server> GetAsync()
    {
        server ??= await S3Server.StartAsync();
        await server.RestoreAsync();
        return server;
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (server is not null)
            await server.DisposeAsync();
    }
}
