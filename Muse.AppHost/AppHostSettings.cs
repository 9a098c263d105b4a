using Microsoft.Extensions.Configuration;

namespace Muse.AppHost;

/// <summary>What the AppHost itself needs to know. All of it may be set by environment variables of the same names.</summary>
/// <param name="HttpPort">MUSE_HTTP_PORT: where the API listens, 1 to 65535. Default 8080.</param>
/// <param name="MinWorkers">MUSE_MIN_WORKERS: workers that always run, 0 to 64. Default 1.</param>
/// <param name="MaxWorkers">MUSE_MAX_WORKERS: workers that may run, 1 to 64, at least as many as always run. Default 4.</param>
/// <param name="DataFolder">MUSE_DATA: where the Redis that the AppHost starts keeps its data. Default <c>muse</c> in the user's local data folder.</param>
/// <param name="LoadTesting">MUSE_LOAD_TESTING: whether Locust starts with the rest, <c>1</c> or <c>0</c>. Default 0: on command.</param>
sealed record AppHostSettings(int HttpPort, int MinWorkers, int MaxWorkers, string DataFolder, bool LoadTesting)
{
    /// <summary>Reads and checks them.</summary>
    /// <exception cref="DistributedApplicationException">One is no number or out of its range.</exception>
    public static AppHostSettings Read(IConfiguration configuration)
    {
        var min = Number(configuration, "MUSE_MIN_WORKERS", 1, 0, 64);
        return new(
            Number(configuration, "MUSE_HTTP_PORT", 8080, 1, 65535),
            min,
            Number(configuration, "MUSE_MAX_WORKERS", Math.Max(4, min), Math.Max(1, min), 64),
            Path.GetFullPath(configuration["MUSE_DATA"] is { Length: > 0 } folder ? folder : DefaultDataFolder),
            Number(configuration, "MUSE_LOAD_TESTING", 0, 0, 1) == 1);
    }

    static string DefaultDataFolder => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } local ? local : Path.GetTempPath(),
        "muse");

    static int Number(IConfiguration configuration, string name, int standard, int least, int most)
    {
        if (configuration[name] is not { Length: > 0 } text)
            return standard;
        return int.TryParse(text, out var value) && value >= least && value <= most ? value
            : throw new DistributedApplicationException($"{name} is '{text}': it must be a whole number from {least} to {most}.");
    }
}
