using System.ComponentModel.DataAnnotations;

namespace Muse.Diffusion;

/// <summary>Settings of the engine, section <c>Engine</c>.</summary>
public sealed class EngineOptions
{
    /// <summary>Most requests in the batch at once. Default 12.</summary>
    [Range(1, 256)]
    public int MaxBatchSize { get; set; } = 12;

    /// <summary>Most rows the denoiser gets at once (a guided request takes two). Default 24.</summary>
    [Range(1, 512)]
    public int MaxRows { get; set; } = 24;

    /// <summary>Whether requests join and leave at every step, or join and leave together. Default continuous.</summary>
    public BatchingMode Mode { get; set; } = BatchingMode.Continuous;

    /// <summary>In static mode, how long a batch that is not full waits for more requests. Default 50 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00")]
    public TimeSpan BatchDelay { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>A request's state is saved after every this many steps; 0 for never. Default 5.</summary>
    [Range(0, 1000)]
    public int CheckpointEvery { get; set; } = 5;

    /// <summary>
    /// Sizes that are run before the first request is taken, in pixels with commas between: <c>512x512, 768x512</c>. Each must be one that
    /// the model can generate. Default none: the model's default size.
    /// </summary>
    public string? WarmUpSizes { get; set; }

    /// <summary>How many encoded prompts are kept for requests that use the same text. Default 128.</summary>
    [Range(2, 100_000)]
    public int EmbeddingCache { get; set; } = 128;

    /// <summary>
    /// A call into the model that takes longer than this counts as stalled: <c>/alive</c> fails, so that an orchestrator restarts the
    /// worker and others continue its images. A device that builds kernels for a new shape may take minutes. Default 10 minutes.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan StallLimit { get; set; } = TimeSpan.FromMinutes(10);
}
