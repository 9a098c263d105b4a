using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Muse.AppHost;

/// <summary>Where the queue's Redis comes from.</summary>
enum RedisSource
{
    /// <summary>The user's own, by <c>ConnectionStrings__redis</c>.</summary>
    Given,
    /// <summary>A container.</summary>
    Container,
    /// <summary>The <c>redis-server</c> on the PATH.</summary>
    Executable,
}

/// <summary>Adds the Redis that this machine can have.</summary>
static class MuseRedis
{
    /// <summary>Loses at most a second's work with the power, and refuses writes before it forgets any.</summary>
    static readonly string[] Durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--save", ""];

    /// <summary>Adds it, as the connection string of that name.</summary>
    /// <exception cref="DistributedApplicationException">There is neither a connection string nor a container engine nor a redis-server.</exception>
    public static IResourceBuilder<IResourceWithConnectionString> AddMuseRedis(this IDistributedApplicationBuilder builder, string name, AppHostSettings settings)
    {
        if (builder.ExecutionContext.IsPublishMode)
            return builder.AddRedis(name).WithArgs([.. Durable]);
        switch (Choose(builder.Configuration[$"ConnectionStrings:{name}"], ContainerEngineAnswers, OnPath("redis-server")))
        {
            case RedisSource.Given:
                return builder.AddConnectionString(name);
            case RedisSource.Container:
                return builder.AddRedis(name).WithDataBindMount(Directory.CreateDirectory(Path.Combine(settings.DataFolder, "redis")).FullName).WithArgs([.. Durable]);
            default:
                var data = Directory.CreateDirectory(Path.Combine(settings.DataFolder, "redis")).FullName;
                builder.Services.AddSingleton(Own(data));
                var server = builder.AddExecutable("redis-server", OnPath("redis-server")!, data, ["--dir", data, "--bind", "127.0.0.1", .. Durable]).WithEndpoint(scheme: "tcp", name: "tcp");
                var endpoint = server.GetEndpoint("tcp");
                server.WithArgs("--port", endpoint.Property(EndpointProperty.TargetPort));
                return builder.AddConnectionString(name, ReferenceExpression.Create($"{endpoint.Property(EndpointProperty.IPV4Host)}:{endpoint.Property(EndpointProperty.Port)}"));
        }
    }

    /// <summary>Two servers that append to the same file destroy it, and Redis does not look.</summary>
    /// <returns>What keeps others out, until it is disposed or this process ends.</returns>
    /// <exception cref="DistributedApplicationException">Another one owns the folder.</exception>
    public static IDisposable Own(string folder)
    {
        try
        { return new FileStream(Path.Combine(folder, ".owner"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None); }
        catch (IOException)
        {
            throw new DistributedApplicationException($"Another Muse keeps its data in '{folder}'. End it, or set MUSE_DATA to another folder.");
        }
    }

    /// <summary>A connection string wins, then a container, then the program.</summary>
    /// <param name="connectionString">The user's, or null.</param>
    /// <param name="containerEngineAnswers">Asked only where it matters.</param>
    /// <param name="redisServer">Its path, or null.</param>
    public static RedisSource Choose(string? connectionString, Func<bool> containerEngineAnswers, string? redisServer)
    {
        if (!string.IsNullOrWhiteSpace(connectionString))
            return RedisSource.Given;
        if (containerEngineAnswers())
            return RedisSource.Container;
        if (redisServer is not null)
            return RedisSource.Executable;
        throw new DistributedApplicationException(
            "Muse needs a Redis. Either start a container engine (Docker), or put redis-server on the PATH (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis). " +
            "For a Redis that runs elsewhere set ConnectionStrings__redis=host:port.");
    }

    /// <summary>Whether there is a container engine and it runs: a client alone can start nothing.</summary>
    static bool ContainerEngineAnswers()
    {
        if (OnPath("docker") is not { } docker)
            return false;
        using var info = Process.Start(new ProcessStartInfo(docker, ["info", "--format", "{{.ServerVersion}}"]) { RedirectStandardOutput = true, RedirectStandardError = true });
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

    static string? OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(folder => (string[])[Path.Combine(folder, program), Path.Combine(folder, program + ".exe")]).FirstOrDefault(File.Exists);
}
