using System.ComponentModel.DataAnnotations;

namespace Muse.ServiceDefaults;

/// <summary>Settings of tracing, section <c>Telemetry</c>.</summary>
public sealed class TelemetryOptions
{
    /// <summary>
    /// Traces that a program records a second, 0 to 100,000. Default 10. Further requests are served without a trace, which limits the cost
    /// of tracing.
    /// </summary>
    [Range(0.0, 100_000.0)]
    public double TracesPerSecond { get; set; } = 10;
}
