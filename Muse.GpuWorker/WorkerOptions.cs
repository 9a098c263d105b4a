using System.ComponentModel.DataAnnotations;

namespace Muse.GpuWorker;

/// <summary>Settings of the worker, section <c>Worker</c>.</summary>
public sealed class WorkerOptions
{
    /// <summary>The model's folder. Default: <c>models/scenes</c>, looked for from the program's and the working folder upwards.</summary>
    public string? Model { get; set; }

    /// <summary>
    /// <c>auto</c>, <c>cpu</c>, <c>cuda</c>, <c>tensorrt</c>, <c>plugin:/path/to/library</c>, or <c>simulated:base=40ms,picture=10ms</c>.
    /// Default auto.
    /// </summary>
    [Required(AllowEmptyStrings = false)]
    public string Device { get; set; } = "auto";

    /// <summary>The resource instance that this process runs as, where something manages instances. Default none.</summary>
    public string? Instance { get; set; }

    /// <summary>Time between two heartbeats. Default 1 s; a worker is removed from the fleet after 15 s without one.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:00:05")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The time to finish the running step and hand images back when the worker is asked to stop; after it their leases expire. 0.1 s to
    /// 10 min, default 3.5 s, because the AppHost kills the process after 6 s. Whatever stops the worker must wait 2 s longer.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:10:00")]
    public TimeSpan DrainLimit { get; set; } = TimeSpan.FromSeconds(3.5);

    /// <summary>Whether image files carry IPTC's mark for images that a trained model generated. Default true.</summary>
    public bool AiGeneratedMark { get; set; } = true;

    /// <summary>The least time between two progress reports of an image. Default 100 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan Progress { get; set; } = TimeSpan.FromMilliseconds(100);
}
