using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Muse.ServiceDefaults;

namespace Muse.AppHost;

/// <summary>Where the queue's Redis comes from.</summary>
enum RedisSource
{
    /// <summary>The user's own, by <c>ConnectionStrings__redis</c>.</summary>
    ConnectionString,
    /// <summary>A container.</summary>
    Container,
    /// <summary>The <c>redis-server</c> on the PATH.</summary>
    Executable,
}

/// <summary>Adds the Redis that this machine can have.</summary>
static class RedisExtensions
{
    /// <summary>Loses at most a second's work with the power, and refuses writes before it forgets any.</summary>
    static readonly string[] Durability =
        ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""];

    /// <summary>Adds it, as the connection string of that name.</summary>
    /// <exception cref="CannotStartException">There is neither a connection string nor a container engine nor a redis-server.</exception>
    public static IResourceBuilder<IResourceWithConnectionString> AddMuseRedis(
        this IDistributedApplicationBuilder builder, string name, AppHostSettings settings)
    {
        if (builder.ExecutionContext.IsPublishMode)
            return builder.AddRedis(name).WithDurability();
        switch (Choose(builder.Configuration[$"ConnectionStrings:{name}"], ContainerEngineAnswers, FindOnPath("redis-server")))
        {
            case RedisSource.ConnectionString:
                return builder.AddConnectionString(name);
            case RedisSource.Container:
                return builder.AddRedis(name).WithDataBindMount(CreateDataFolder(settings)).WithDurability();
            default:
                return builder.AddRedisServer(name, CreateDataFolder(settings));
        }
    }

    /// <summary>
    /// Adds <see cref="Durability"/> to a container. Aspire starts it by <c>sh -c "redis-server …"</c>, which ignores further arguments.
    /// </summary>
    static IResourceBuilder<RedisResource> WithDurability(this IResourceBuilder<RedisResource> redis) => redis.WithArgs(context =>
    {
        var arguments = Durability.Select(argument => argument.Length > 0 ? argument : "''");
        context.Args[^1] = string.Join(' ', [$"{context.Args[^1]}", .. arguments]);
    });

    /// <summary>Adds the <c>redis-server</c> of this machine, on a free loopback port that clients reach without a proxy.</summary>
    static IResourceBuilder<RedisServerResource> AddRedisServer(this IDistributedApplicationBuilder builder, string name, string data)
    {
        var port = Ports.FindFree();
        builder.Services.AddSingleton(LockDataFolder(data));
        var server = builder.AddResource(new RedisServerResource(name, FindOnPath("redis-server")!, data))
            .WithArgs(["--port", $"{port}", "--bind", "127.0.0.1", "--dir", data, .. Durability])
            .WithEndpoint(port: port, targetPort: port, scheme: "tcp", name: RedisServerResource.EndpointName, isProxied: false)
            .WithIconName("Database");
        var healthCheck = $"{name}_check";
        builder.Services.AddHealthChecks().AddRedis($"127.0.0.1:{port},abortConnect=false", healthCheck);
        return server.WithHealthCheck(healthCheck);
    }

    /// <summary>Locks the folder. Two servers that append to one file would destroy it, and Redis does not check.</summary>
    /// <returns>The lock; disposing it or ending this process releases it.</returns>
    /// <exception cref="CannotStartException">Another Muse uses the folder.</exception>
    public static IDisposable LockDataFolder(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, ".owner"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            throw new CannotStartException($"Another Muse keeps its data in '{folder}'. End it, or set MUSE_DATA to another folder.");
        }
    }

    static string CreateDataFolder(AppHostSettings settings) =>
        Directory.CreateDirectory(Path.Combine(settings.DataFolder, "redis")).FullName;

    /// <summary>A connection string wins, then a container, then the program.</summary>
    /// <param name="connectionString">The user's, or null.</param>
    /// <param name="containerEngineAnswers">Asked only where there is no connection string.</param>
    /// <param name="redisServer">The program's path, or null.</param>
    public static RedisSource Choose(string? connectionString, Func<bool> containerEngineAnswers, string? redisServer)
    {
        if (!string.IsNullOrWhiteSpace(connectionString))
            return RedisSource.ConnectionString;
        if (containerEngineAnswers())
            return RedisSource.Container;
        if (redisServer is not null)
            return RedisSource.Executable;
        throw new CannotStartException(
            "Muse needs a Redis. Start a container engine (Docker), or put redis-server on the PATH " +
            "(Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis). " +
            "For a Redis that runs elsewhere set ConnectionStrings__redis=host:port.");
    }

    /// <summary>Whether there is a container engine and it runs: a client alone can start nothing.</summary>
    static bool ContainerEngineAnswers()
    {
        if (FindOnPath("docker") is not { } docker)
            return false;
        string[] arguments = ["info", "--format", "{{.ServerVersion}}"];
        var start = new ProcessStartInfo(docker, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var info = Process.Start(start);
        if (info is null)
            return false;
        info.OutputDataReceived += (_, _) => { };
        info.ErrorDataReceived += (_, _) => { };
        info.BeginOutputReadLine();
        info.BeginErrorReadLine();
        if (info.WaitForExit(TimeSpan.FromSeconds(5)))
            return info.ExitCode == 0;
        info.Kill();
        return false;
    }

    static string? FindOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .SelectMany(folder => (string[])[Path.Combine(folder, program), Path.Combine(folder, program + ".exe")])
            .FirstOrDefault(File.Exists);
}
