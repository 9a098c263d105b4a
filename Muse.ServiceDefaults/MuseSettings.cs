using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace Muse.ServiceDefaults;

/// <summary>The <c>MUSE_*</c> environment variables and the .NET options that they set.</summary>
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
        ("MUSE_WARM_UP_SIZES", ["Engine:WarmUpSizes"]),
        ("MUSE_WORKER_DRAIN", ["Worker:DrainLimit"]),
        ("MUSE_MIN_WORKERS", ["Autoscaler:MinWorkers"]),
        ("MUSE_MAX_WORKERS", ["Autoscaler:MaxWorkers"]),
        ("MUSE_AUTOSCALE_INTERVAL", ["Autoscaler:Interval"]),
        ("MUSE_AUTOSCALE_POLICY", ["Autoscaler:Policy"]),
        ("MUSE_AUTOSCALE_ACTOR", ["Autoscaler:Actor"]),
        ("MUSE_TARGET_WAIT", ["Autoscaler:TargetWait"]),
        ("MUSE_COLD_START", ["Autoscaler:ColdStart"]),
        ("MUSE_API_KEYS", ["Api:Keys"]),
        ("MUSE_RATE_LIMITS", ["Api:RateLimits:Enabled"]),
        ("MUSE_TRACES_PER_SECOND", ["Telemetry:TracesPerSecond"]),
    ];

    /// <summary>The variables that are durations. A number alone is seconds (.NET would read days).</summary>
    static readonly HashSet<string> Durations =
        ["MUSE_WORKER_DRAIN", "MUSE_AUTOSCALE_INTERVAL", "MUSE_TARGET_WAIT", "MUSE_COLD_START"];

    /// <summary>Adds the variables that are set. They override all configuration that was added before.</summary>
    public static IConfigurationManager AddMuseSettings(this IConfigurationManager configuration)
    {
        var values = new Dictionary<string, string?>();
        foreach (var (variable, options) in All)
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value)
            {
                foreach (var option in options)
                    values[option] = Durations.Contains(variable) ? Duration(value) : value;
            }
        }

        if (configuration["MUSE_MODEL"] is { Length: > 0 } model)
            values["Queue:Model"] = ModelKey.Of(model);
        configuration.AddInMemoryCollection(values);
        return configuration;
    }

    static string Duration(string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds) && Math.Abs(seconds) < 1e9
            ? TimeSpan.FromSeconds(seconds).ToString("c", CultureInfo.InvariantCulture) : value;
}
