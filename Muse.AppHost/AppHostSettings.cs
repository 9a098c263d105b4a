using System.Net;
using Microsoft.Extensions.Configuration;
using Muse.ServiceDefaults;

namespace Muse.AppHost;

/// <summary>What the AppHost itself needs to know. Each is set by the environment variable that its text names.</summary>
sealed record AppHostSettings
{
    /// <summary>MUSE_HTTP_PORT: the port that the API listens on, 1 to 65535. Default 8080.</summary>
    public int HttpPort { get; init; } = 8080;

    /// <summary>MUSE_HTTP_HOST: the address that the API listens on. Default <c>localhost</c>: only this machine reaches it.</summary>
    public string HttpHost { get; init; } = "localhost";

    /// <summary>MUSE_API_KEYS: who may call the API, or null.</summary>
    public string? ApiKeys { get; init; }

    /// <summary>MUSE_MIN_WORKERS: workers that always run, 0 to 64. Default 1.</summary>
    public int MinWorkers { get; init; } = 1;

    /// <summary>MUSE_MAX_WORKERS: workers that may run, 1 to 64, at least <see cref="MinWorkers"/>. Default 4.</summary>
    public int MaxWorkers { get; init; } = 4;

    /// <summary>
    /// MUSE_DATA: the data folder of the Redis that the AppHost starts. Default <c>muse</c> in the user's local data folder.
    /// </summary>
    public string DataFolder { get; init; } = DefaultDataFolder;

    /// <summary>MUSE_LOAD_TESTING: whether Locust starts too, <c>1</c> or <c>0</c>. Default 0: the dashboard can start it.</summary>
    public bool LoadTesting { get; init; }

    /// <summary>Reads and checks them.</summary>
    /// <exception cref="CannotStartException">One is no number, out of its range, or opens Muse to strangers.</exception>
    public static AppHostSettings Read(IConfiguration configuration)
    {
        var min = Number(configuration, "MUSE_MIN_WORKERS", 1, 0, 64);
        var settings = new AppHostSettings
        {
            HttpPort = Number(configuration, "MUSE_HTTP_PORT", 8080, 1, 65535),
            HttpHost = Text(configuration, "MUSE_HTTP_HOST") ?? "localhost",
            ApiKeys = Text(configuration, "MUSE_API_KEYS"),
            MinWorkers = min,
            MaxWorkers = Number(configuration, "MUSE_MAX_WORKERS", Math.Max(4, min), Math.Max(1, min), 64),
            DataFolder = Path.GetFullPath(Text(configuration, "MUSE_DATA") ?? DefaultDataFolder),
            LoadTesting = Number(configuration, "MUSE_LOAD_TESTING", 0, 0, 1) == 1,
        };
        if (settings.ApiKeys is null && !IsLoopback(settings.HttpHost) && !configuration.GetValue("Api:AllowAnonymous", false))
        {
            throw new CannotStartException(
                $"MUSE_HTTP_HOST is '{settings.HttpHost}', which other machines can reach, and MUSE_API_KEYS is not set. " +
                "Set MUSE_API_KEYS, or Api__AllowAnonymous=true to let everyone in.");
        }
        return settings;
    }

    static string DefaultDataFolder
    {
        get
        {
            var local = Environment.GetFolderPath(
                Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
            return Path.Combine(local is { Length: > 0 } ? local : Path.GetTempPath(), "muse");
        }
    }

    static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    static string? Text(IConfiguration configuration, string name) => configuration[name] is { Length: > 0 } text ? text : null;

    static int Number(IConfiguration configuration, string name, int standard, int least, int most)
    {
        if (Text(configuration, name) is not { } text)
            return standard;
        return int.TryParse(text, out var value) && value >= least && value <= most ? value
            : throw new CannotStartException($"{name} is '{text}': it must be a whole number from {least} to {most}.");
    }
}
