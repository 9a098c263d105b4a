using System.ComponentModel.DataAnnotations;

namespace Muse.ServiceDefaults;

/// <summary>What is traced, section <c>Telemetry</c>.</summary>
public sealed class TelemetryOptions
{
    /// <summary>
    /// Traces that a program begins a second, 0 to 100,000. Default 50. Requests beyond it are served without a trace, so that under load
    /// tracing costs no more than this.
    /// </summary>
    [Range(0.0, 100_000.0)]
    public double TracesPerSecond { get; set; } = 50;
}
