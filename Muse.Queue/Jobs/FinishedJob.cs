namespace Muse.Queue;

/// <summary>A job with its images.</summary>
/// <param name="Job">The job.</param>
/// <param name="Images">One element per image, in order; null where there is none (failed, cancelled, not completed yet).</param>
public sealed record FinishedJob(JobSnapshot Job, IReadOnlyList<StoredImage?> Images);
