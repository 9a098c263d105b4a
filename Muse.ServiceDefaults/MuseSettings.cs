using Microsoft.Extensions.Configuration;

namespace Muse.ServiceDefaults;

/// <summary>The <c>MUSE_*</c> environment variables and the .NET options that they set: the one home of these names.</summary>
public static class MuseSettings
{
    /// <summary>Each variable and the options it sets. The README's table lists the same.</summary>
    public static readonly IReadOnlyList<(string Variable, string[] Options)> All =
    [
        ("MUSE_MODEL", ["Worker:Model"]),
        ("MUSE_GPU_TYPE", ["Worker:Device"]),
        ("MUSE_GPU_INDEX", ["Device:DeviceId"]),
        ("MUSE_INSTANCE", ["Worker:Instance"]),
        ("MUSE_MAX_BATCH_SIZE", ["Engine:MaxBatchSize"]),
        ("MUSE_MIN_WORKERS", ["Autoscaler:MinWorkers"]),
        ("MUSE_MAX_WORKERS", ["Autoscaler:MaxWorkers"]),
        ("MUSE_AUTOSCALE_INTERVAL", ["Autoscaler:Interval"]),
        ("MUSE_API_KEYS", ["Api:Keys"]),
        ("MUSE_RATE_LIMITS", ["Api:RateLimits:Enabled"]),
    ];

    /// <summary>Adds the variables that are set, above all other configuration but the command line.</summary>
    public static IConfigurationManager AddMuseSettings(this IConfigurationManager configuration)
    {
        var values = new Dictionary<string, string?>();
        foreach (var (variable, options) in All)
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value)
                foreach (var option in options)
                    values[option] = value;
        if (configuration["MUSE_MODEL"] is { Length: > 0 } model)
            values["Queue:Model"] = Path.GetFileName(Path.TrimEndingDirectorySeparator(model));
        configuration.AddInMemoryCollection(values);
        return configuration;
    }
}
